// Files, what is asked of them, and what became of them.
import { ask, at, element, picture, worked } from "./tools.js";
import { view } from "./view.js";

let largest = 0;
let model = null;
let words = {};
let choices = null;
let files = []; // dropped last, to be translated again
let kept = []; // all results on the page: [name, blob]
let waiting = []; // dropped while others are translated
let running = null; // what ends the work
const MOST = 100; // files at once

export function setUp(limit) {
  largest = limit;
}

// Shows what can be asked of a model; raises nothing.
export async function show(chosen, its) {
  const changed = its !== words;
  [model, words, choices] = [chosen, its, null];
  at("example").hidden = !chosen.example;
  at("drop-note").textContent = `or click to choose them · up to ${largest >> 20} MB each`;
  for (const id of ["sources", "strengths"]) at(id).hidden = true;
  if (changed) clear();
  at("targets").replaceChildren(element("p", "Loading the model …"));
  try {
    const found = await (await ask(`model?${new URLSearchParams({ model: chosen.name })}`)).json();
    if (model !== chosen) return; // another was chosen meanwhile
    choices = found;
    drawChoices();
  } catch (fault) {
    at("targets").replaceChildren(element("p", fault.message, { class: "error", role: "alert" }));
  }
  offerAgain();
}

function drawChoices() {
  const asAttributes = choices.kind === "attributes";
  at("becoming").hidden = asAttributes;
  at("strengths").hidden = !asAttributes;
  at("sources").hidden = !choices.sources.length;
  if (asAttributes) at("sliders").replaceChildren(...choices.targets.map(slider));
  else at("targets").replaceChildren(...choices.targets.map(chip));
  const first = choices.needs_source ? [] : [element("option", "not sure", { value: "" })];
  at("source").replaceChildren(
    ...first, ...choices.sources.map((name) => element("option", name, { value: name })));
}

function chip(name) {
  const input = element("input", "", { type: "checkbox", value: name, checked: "" });
  input.onchange = offerAgain;
  return element("label", "", { class: "chip" }, input, name);
}

function slider(name) {
  const input = element("input", "", { type: "range", min: 0, max: 1, step: 0.05, value: 0, name });
  const shown = element("output", "0");
  input.oninput = () => (shown.textContent = input.value);
  input.onchange = offerAgain;
  return element("label", "", {}, element("span", name), shown, input);
}

// What is asked for, as pairs of a query; null, with a word of why, where something is missing.
function asked() {
  if (!choices) return missing("The model is not loaded yet. Try again in a moment.");
  const pairs = [["model", model.name]];
  if (choices.kind === "attributes") {
    for (const input of at("sliders").querySelectorAll("input")) pairs.push(["amount", `${input.name}:${input.value}`]);
    return pairs;
  }
  const targets = [...at("targets").querySelectorAll(":checked")].map((input) => input.value);
  if (!targets.length) return missing(`Choose what the ${words.many} shall become.`);
  pairs.push(...targets.map((name) => ["to", name]));
  if (at("source").value && choices.sources.length) pairs.push(["from", at("source").value]);
  return pairs;
}

function missing(sentence) {
  say(sentence);
  return null;
}

function say(sentence) {
  at("work").hidden = false;
  at("status").textContent = sentence;
}

async function translateAll(chosen) {
  if (running) {
    waiting.push(...chosen);
    return;
  }
  if (!chosen.length) return;
  if (chosen.length > MOST) return say(`These are ${chosen.length} files. Drop at most ${MOST} at once; zoo translate takes whole folders.`);
  files = chosen;
  const pairs = asked();
  if (!pairs) return offerAgain();
  running = new AbortController();
  for (const id of ["again", "all", "clear"]) at(id).hidden = true;
  for (const id of ["progress", "cancel"]) at(id).hidden = false;
  const rows = files.map((file) => row(file, pairs));
  at("results").prepend(...rows.map((made) => made.box));
  let failed = 0;
  for (const [number, made] of rows.entries()) {
    const tell = (share, part) => {
      at("progress").value = (number + share) / rows.length;
      say([`Translating ${made.file.name}`, part, rows.length > 1 ? `${number + 1} of ${rows.length}` : ""]
        .filter(Boolean).join(" · "));
    };
    tell(0, "");
    if (!(await translate(made, pairs, tell))) failed += 1;
  }
  if (running.signal.aborted) waiting = [];
  say(running.signal.aborted ? "Cancelled." : failed ? `Done; ${failed} of ${rows.length} failed.` : "Done.");
  running = null;
  for (const id of ["progress", "cancel"]) at(id).hidden = true;
  for (const id of ["all", "clear"]) at(id).hidden = false;
  at("all").hidden = !kept.length;
  offerAgain();
  translateAll(waiting.splice(0));
}

function row(file, pairs) {
  const sounds = model.kind === "speech";
  const pictures = element("div", "", { class: sounds ? "pictures sounds" : "pictures" });
  const before = figure({ title: "before", file, shown: sounds ? null : file, sounds });
  const targets = pairs.filter(([key]) => key === "to").map(([, name]) => name);
  const places = (targets.length ? targets : ["translated"]).map((name) => element("div", `${name} …`, { class: "wait" }));
  pictures.append(before, ...places);
  const title = element("h3", file.name, {}, element("small", model.name));
  return { file, before, places, sounds, model, choices, source: at("source").value,
    box: element("div", "", { class: "row" }, title, pictures) };
}

async function translate(made, pairs, tell) {
  const { file, places, sounds } = made;
  try {
    if (running.signal.aborted) throw new DOMException("", "AbortError");
    const other = words.others.find(([type]) => file.type.startsWith(type));
    if (other) throw new Error(`${file.name}: it is no ${words.one}. ${other[1]}`);
    if (file.size > largest) throw new Error(`${file.name}: it is larger than ${largest >> 20} MB. Use zoo translate for large files.`);
    for await (const step of worked("translate", [...pairs, ["name", file.name]], file, running.signal)) {
      if (step.progress !== undefined) tell(step.progress, step.words);
      else if (step.result) drawResult(made, step);
      else if (step.files.length) {
        made.shown = step.files[0];
        made.before.replaceWith((made.before = figure({ title: "before", file, shown: made.shown, sounds })));
      }
    }
    return true;
  } catch (fault) {
    for (const place of places) place.remove();
    const cancelled = fault.name === "AbortError";
    const attributes = cancelled ? {} : { class: "error", role: "alert" };
    made.box.append(element("p", cancelled ? "Cancelled." : fault.message, attributes));
    if (!made.box.querySelector(".after")) made.before.remove();
    return false;
  }
}

function drawResult(made, { result, suffix, notes, files: [whole, shown] }) {
  const stem = made.file.name.replace(/\.[^.]*$/, "") || "result";
  const name = `${stem}_${result.replaceAll(/[/\\:]/g, "-")}${suffix}`;
  kept.push([name, whole]);
  const drawn = figure({ title: result, file: whole, shown: shown ?? whole, sounds: made.sounds, name, made });
  made.places.shift().replaceWith(drawn);
  for (const note of notes) {
    if (![...made.box.querySelectorAll(".notes")].some((known) => known.textContent === note))
      made.box.append(element("p", note, { class: "notes" }));
  }
}

// A picture (of a sound) with its title; a result can be kept, and that of a picture looked at.
function figure({ title, file, shown, sounds, name, made }) {
  const caption = element("figcaption", "", {}, element("span", title));
  const address = URL.createObjectURL(file);
  if (name) caption.append(element("a", "Download", { href: address, download: name }));
  let face = element("div", "", { class: "face" });
  if (name && !sounds) {
    face = element("button", "", { class: "face", type: "button", title: "Compare with the picture before" });
    face.onclick = () => view(made, title, { shown, name, address });
  }
  if (shown) face.append(picture(shown, title));
  const drawn = element("figure", "", { class: name ? "after" : "before" });
  if (shown) drawn.append(face);
  if (sounds) drawn.append(element("audio", "", { controls: "", src: address, "aria-label": title }));
  drawn.append(caption);
  return drawn;
}

function offerAgain() {
  at("again").hidden = !files.length || Boolean(running);
}

function clear() {
  running?.abort();
  [files, kept] = [[], []];
  for (const each of at("results").querySelectorAll("[src]")) URL.revokeObjectURL(each.src);
  at("results").replaceChildren();
  at("work").hidden = true;
}

async function downloadAll() {
  at("all").disabled = true;
  try {
    const form = new FormData();
    for (const [name, blob] of kept) form.append("files", blob, name);
    const address = URL.createObjectURL(await (await ask("zip", { method: "POST", body: form })).blob());
    element("a", "", { href: address, download: "zoo-results.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (fault) {
    say(fault.message);
  }
  at("all").disabled = false;
}

async function tryExample() {
  try {
    const blob = await (await ask(`example?${new URLSearchParams({ model: model.name })}`)).blob();
    translateAll([new File([blob], "example.png", { type: "image/png" })]);
  } catch (fault) {
    say(fault.message);
  }
}

// The whole page takes files: beside the field, a browser would leave the page for them.
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    at("drop").classList.toggle("over", name === "dragover");
    if (name !== "drop" || at("translate").hidden) return;
    const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    if (items.some((item) => item.webkitGetAsEntry()?.isDirectory)) say("That is a folder. Drop the files in it.");
    else translateAll([...event.dataTransfer.files]);
  });
}
at("example").onclick = tryExample;
at("files").onchange = (event) => {
  const chosen = [...event.target.files];
  event.target.value = ""; // so that the same file can be chosen again
  translateAll(chosen);
};
at("source").onchange = offerAgain;
at("again").onclick = () => translateAll(files);
at("cancel").onclick = () => running?.abort();
at("clear").onclick = clear;
at("all").onclick = downloadAll;
