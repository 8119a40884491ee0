// One result beside its input: a wipe from one to the other, and what may be hidden in it.
import { at, element, picture, worked } from "./tools.js";

let held = []; // addresses of what is shown
let looking = null; // what ends a look

export function view(made, title, { shown, name, address }) {
  at("view-title").textContent = `${made.file.name} → ${title}`;
  for (const old of held) URL.revokeObjectURL(old);
  held = [made.shown ?? made.file, shown].map((blob) => URL.createObjectURL(blob));
  [at("before").src, at("after").src] = held;
  at("after").onload = () => {
    const { naturalWidth, naturalHeight } = at("after");
    for (const id of ["before", "after"]) at(id).classList.toggle("tiny", naturalWidth < 96);
    at("wipe").classList.toggle("small", Math.max(naturalWidth, naturalHeight) < 384);
  };
  Object.assign(at("keep"), { href: address, download: name });
  const { lens, sources } = made.choices;
  at("lens").hidden = !lens;
  at("lens").onclick = () => look(made, title);
  at("lens-of").hidden = !lens || !sources.length; // of two domains the other one is meant
  at("lens-source").replaceChildren(...["not sure", ...sources].map((each, place) =>
    element("option", each, { value: place ? each : "" })));
  at("lens-source").value = made.source;
  at("lens-said").hidden = true;
  at("lens-out").replaceChildren();
  move(50);
  at("view").showModal();
}

function move(value) {
  at("position").value = value;
  at("wipe").style.setProperty("--at", `${value}%`);
}

async function look(made, target) {
  const source = at("lens-source").value;
  if (!at("lens-of").hidden && !source) return say("Say what the picture is now: the way back leads there.");
  const wish = [["model", made.model.name], ["name", made.file.name], ["to", target], ...(source ? [["from", source]] : [])];
  looking = new AbortController();
  at("lens").disabled = true;
  at("lens-out").replaceChildren();
  say("Translating there and back …");
  try {
    for await (const step of worked("lens", wish, made.file, looking.signal)) {
      if (step.differences) say(words(step.differences));
      else draw(step.look, step.files[0]);
    }
  } catch (fault) {
    if (fault.name !== "AbortError") say(fault.message, "error");
  }
  at("lens").disabled = false;
}

function words({ back, again, jpeg }) {
  const shades = (value) => value.toFixed(1);
  return "A model that must find its way back can hide its input where nobody sees it. Translated back, this " +
    `picture is ${shades(back)} of 255 shades away from the input, on average. A JPEG changes the translation by ` +
    `${shades(jpeg)} shades, and then it is ${shades(again)} away: ${shades(Math.max(0, again - back - jpeg))} more than ` +
    "that change explains. The more, the more was hidden. zoo audit measures it over many pictures.";
}

function say(sentence, kind = "") {
  at("lens-said").hidden = false;
  at("lens-said").className = kind;
  at("lens-said").textContent = sentence;
}

function draw(title, blob) {
  const face = element("div", "", { class: "face" }, picture(blob, title));
  at("lens-out").append(element("figure", "", {}, face, element("figcaption", title)));
  at("lens-out").scrollIntoView({ block: "nearest" });
}

at("position").oninput = () => move(at("position").value);
at("close").onclick = () => at("view").close();
at("view").onclose = () => looking?.abort();
