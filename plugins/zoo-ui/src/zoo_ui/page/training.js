// Training runs while they go on.
import { ask, at, element } from "./tools.js";

const EVERY = 2_000; // milliseconds
let timer = null;
let name = null; // of the run that is shown
let drawn = ""; // what its curves and samples were drawn from

export async function follow() {
  unfollow();
  await act(listRuns);
  await next();
}

export function unfollow() {
  clearTimeout(timer);
  timer = null;
}

async function next() {
  if (name !== null) await act(showRun);
  if (!at("training").hidden) timer = setTimeout(next, EVERY);
}

// Does it; what went wrong is said.
async function act(what) {
  try {
    await what();
    at("run-error").textContent = "";
  } catch (fault) {
    at("run-error").textContent = fault.message;
  }
}

async function listRuns() {
  const names = await (await ask("runs")).json();
  if (!names.length) throw new Error("There is no run in the folder yet. Start one with zoo train.");
  at("run").replaceChildren(...names.map((each) => element("option", each, { value: each })));
  name = names.includes(name) ? name : names[0]; // the newest
  at("run").value = name;
}

async function showRun() {
  const asked = name;
  const told = await (await ask(`run?${new URLSearchParams({ run: asked })}`)).json();
  if (asked !== name) return;
  at("run-progress").hidden = !told.total;
  at("run-progress").value = told.total ? told.done / told.total : 0;
  at("run-facts").replaceChildren(...facts(told).map(([value, words]) =>
    element("span", "", {}, element("b", value), ` ${words}`)));
  const state = `${asked} ${told.done} ${told.sheet}`;
  if (state === drawn) return;
  drawn = state;
  // Made by the server, which makes names safe; nothing in it could act: the page's policy.
  at("curves").innerHTML = told.curves.join("");
  at("sheet-part").hidden = told.sheet === null;
  if (told.sheet === null) return;
  at("sheet-title").textContent = `Samples after step ${told.sheet.toLocaleString("en")}`;
  at("sheet").src = `sheet?${new URLSearchParams({ run: asked, step: told.sheet })}`;
}

function facts({ done, total, rate, left, quiet, training }) {
  const number = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
  const found = [[number(done), total ? `of ${number(total)} steps` : "steps"]];
  if (training && rate) found.push([number(rate), "steps a second"]);
  if (left !== null) found.push([duration(left), "left"]);
  if (total && done >= total) found.push(["Finished", ""]);
  else if (!training) found.push(["Stopped", ""]);
  if (quiet !== null) found.push([duration(quiet), "since it last wrote"]);
  else if (training) found.push(["Starting", ""]);
  return found;
}

function duration(seconds) {
  const units = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];
  const [size, unit] = units.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

at("run").onchange = () => {
  name = at("run").value;
  act(showRun);
};
