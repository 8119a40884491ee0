"use strict";

const LARGEST = 64 * 2 ** 20; // the server's limit: larger files are not sent
const chosen = { model: null, targets: new Set() };
let models = [];

const at = (id) => document.getElementById(id);

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function start() {
  models = await (await fetch("models")).json();
  for (const model of models) at("models").append(card(model));
  if (models.length) choose(models.find((model) => model.name === "stargan-emoji") ?? models[0]);
  else at("status").textContent = "No model for pictures is installed on this machine.";
}

function card(model) {
  const made = element("button", "", { role: "radio", "data-model": model.name, title: model.summary });
  if (model.picture) {
    const address = `picture?model=${encodeURIComponent(model.name)}`;
    made.append(element("img", "", { src: address, alt: "", loading: "lazy" }));
  }
  made.append(element("b", model.name), element("small", model.summary));
  made.onclick = () => choose(model);
  return made;
}

function choose(model) {
  chosen.model = model;
  chosen.targets = new Set(model.targets.slice(0, 4));
  for (const button of at("models").children) {
    button.setAttribute("aria-checked", String(button.dataset.model === model.name));
  }
  at("targets").replaceChildren(...model.targets.map(chip));
}

function chip(target) {
  const made = element("button", target, { "aria-pressed": String(chosen.targets.has(target)) });
  made.onclick = () => {
    if (!chosen.targets.delete(target)) chosen.targets.add(target);
    made.setAttribute("aria-pressed", String(chosen.targets.has(target)));
  };
  return made;
}

async function translateAll(files) {
  const { model, targets } = chosen;
  if (!model || !targets.size) {
    at("status").textContent = "Choose a model and what the pictures shall become.";
    return;
  }
  const wanted = model.targets.filter((target) => targets.has(target));
  const rows = files.map((file) => [file, row(file)]);
  let done = 0;
  for (const [file, pictures] of rows) {
    for (const target of wanted) {
      at("status").textContent = `Translating ${++done} of ${files.length * wanted.length} …`;
      if (!(await translate(file, model.name, target, pictures))) {
        done += wanted.length - wanted.indexOf(target) - 1; // the others would fail alike
        break;
      }
    }
  }
  at("status").textContent = "Done.";
}

function row(file) {
  const made = element("div", "", { class: "row" });
  const pictures = element("div", "", { class: "pictures" });
  pictures.append(figure(URL.createObjectURL(file), "before", null));
  made.append(element("h3", file.name), pictures);
  at("results").prepend(made);
  return pictures;
}

function figure(address, caption, download) {
  const made = element("figure", "", { class: download ? "after" : "before" });
  const words = element("figcaption", "");
  words.append(element("span", caption));
  if (download) words.append(element("a", "Download", { href: address, download }));
  const image = element("img", "", { src: address, alt: caption });
  image.onerror = () => image.replaceWith(element("div", "", { class: "wait" }));
  made.append(image, words);
  return made;
}

async function translate(file, model, to, pictures) {
  const waiting = element("div", "", { class: "wait", "aria-label": `Translating to ${to}` });
  pictures.append(waiting);
  try {
    if (file.size > LARGEST) throw new Error(`${file.name}: it is larger than 64 MB.`);
    const query = new URLSearchParams({ model, to, name: file.name });
    const answer = await fetch(`translate?${query}`, { method: "POST", body: file });
    if (!answer.ok) throw new Error((await answer.json()).error);
    const address = URL.createObjectURL(await answer.blob());
    const stem = file.name.replace(/\.[^.]*$/, "");
    waiting.replaceWith(figure(address, to, `${stem}_${to}.png`));
    return true;
  } catch (error) {
    const lost = error instanceof TypeError;
    const sentence = lost ? "The server does not answer. Start zoo ui again." : error.message;
    waiting.replaceWith(element("p", sentence, { class: "error", role: "alert" }));
    return false;
  }
}

const drop = at("drop");
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") translateAll([...event.dataTransfer.files]);
  });
}
at("files").onchange = (event) => {
  const files = [...event.target.files];
  event.target.value = ""; // so that the same file can be chosen again
  translateAll(files);
};
start();
