// One result beside its input: a wipe from one to the other, and what may be hidden in it.
import { at } from "./tools.js";

let held = []; // addresses of what is shown

export function view(made, title, { shown, name, address }) {
  at("view-title").textContent = `${made.file.name} → ${title}`;
  for (const old of held) URL.revokeObjectURL(old);
  held = [made.shown ?? made.file, shown].map((blob) => URL.createObjectURL(blob));
  [at("before").src, at("after").src] = held;
  at("after").onload = () => {
    for (const id of ["before", "after"]) at(id).classList.toggle("tiny", at("after").naturalWidth < 96);
  };
  Object.assign(at("keep"), { href: address, download: name });
  move(50);
  at("view").showModal();
}

function move(value) {
  at("position").value = value;
  at("wipe").style.setProperty("--at", `${value}%`);
}

at("position").oninput = () => move(at("position").value);
at("close").onclick = () => at("view").close();
