// What the page starts with: tabs, models, and what can be asked of one.
import { ask, at, element } from "./tools.js";
import { setUp, show } from "./translate.js";
import { follow, unfollow } from "./training.js";

const WORDS = {
  image: { tab: "Pictures", one: "picture", many: "pictures", type: "image/", others: [], types: "image/*,.tif,.tiff,.heic,.pfm,.npy",
    line: "Draws your pictures in another style. Everything stays on this machine." },
  speech: { tab: "Voices", one: "recording", many: "recordings", type: "audio/", others: [], types: "audio/*",
    line: "Says your recordings in another voice. Everything stays on this machine." },
};
const PREFERRED = "stargan-emoji"; // the best that is always there
let offered = [];
let kind = "";
const last = {}; // by kind: the model that was chosen last

async function start() {
  try {
    const { models, largest, runs } = await (await ask("models")).json();
    offered = models;
    setUp(largest);
    const kinds = Object.keys(WORDS).filter((key) => models.some((model) => model.kind === key));
    for (const one of kinds) {
      for (const two of kinds.filter((key) => key !== one))
        WORDS[one].others.push([WORDS[two].type, `Open ${WORDS[two].tab} for ${WORDS[two].many}.`]);
    }
    const tabs = kinds.map((key) => [WORDS[key].tab, () => open(key)]);
    if (runs) tabs.push(["Training", training]);
    drawTabs(tabs);
    if (!tabs.length) throw new Error("No model for pictures or voices is installed on this machine.");
    tabs[0][1]();
  } catch (fault) {
    at("models").replaceChildren(element("p", fault.message, { class: "error", role: "alert" }));
  }
}

function drawTabs(tabs) {
  at("tabs").hidden = tabs.length < 2;
  for (const [title, act] of tabs) {
    const button = element("button", title, { role: "tab", type: "button", "aria-selected": "false" });
    button.onclick = act;
    at("tabs").append(button);
  }
}

function select(title) {
  for (const tab of at("tabs").children) tab.setAttribute("aria-selected", String(tab.textContent === title));
  at("translate").hidden = title === "Training";
  at("training").hidden = title !== "Training";
}

function training() {
  select("Training");
  at("tagline").textContent = "Follows training runs while they go on.";
  follow();
}

function open(wanted) {
  kind = wanted;
  const words = WORDS[kind];
  unfollow();
  select(words.tab);
  at("tagline").textContent = words.line;
  at("drop-here").textContent = `Drop ${words.many} here`;
  at("files").accept = words.types;
  const models = offered.filter((model) => model.kind === kind);
  at("models").replaceChildren(...models.map(card));
  at("models").classList.add("short");
  at("more").hidden = models.length < 3;
  nameMore();
  choose(last[kind] ?? models.find((model) => model.own || model.name === PREFERRED) ?? models[0]);
}

function card(model) {
  const input = element("input", "", { type: "radio", name: "model", value: model.name });
  input.onchange = () => choose(model);
  const made = element("label", "", { class: "model", title: model.summary }, input);
  if (model.picture) {
    const address = `picture?model=${encodeURIComponent(model.name)}`;
    made.append(element("img", "", { src: address, alt: "", loading: "lazy" }));
  }
  const name = model.own ? model.name.split("/").at(-1) : model.name; // of a path its end
  made.append(element("b", name), element("small", model.own ? `${model.summary}: ${model.name}` : model.summary));
  return made;
}

function nameMore() {
  const short = at("models").classList.contains("short");
  at("more").textContent = short ? `Show all ${at("models").children.length} models` : "Show fewer";
}

async function choose(model) {
  last[kind] = model;
  for (const input of at("models").querySelectorAll("input")) input.checked = input.value === model.name;
  at("models").classList.add("short");
  nameMore();
  show(model, WORDS[kind]);
}

at("more").onclick = () => {
  at("models").classList.toggle("short");
  nameMore();
};
start();
