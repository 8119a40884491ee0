// What all parts of the page use.

export const at = (id) => document.getElementById(id);

export function element(name, text = "", attributes = {}, ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const SILENT = "The server does not answer. Start zoo ui again.";

// What a request gives; where nobody answers, an error that says so.
async function answered(request) {
  try {
    return await request;
  } catch (fault) {
    throw fault.name === "AbortError" ? fault : new Error(SILENT);
  }
}

// An answer; a refusal is an error with its sentence.
export async function ask(address, options) {
  const answer = await answered(fetch(address, options));
  if (!answer.ok) {
    const busy = { error: "The server is busy. Try again in a moment." };
    throw new Error((await answer.json().catch(() => busy)).error);
  }
  return answer;
}

// The steps of some work: a line of JSON each, and the files that follow it, as blobs.
export async function* steps(answer) {
  const reader = answer.body.getReader();
  let held = new Uint8Array();
  async function more() {
    const { done, value } = await answered(reader.read());
    if (done) return false;
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    return true;
  }
  async function taken(size) {
    const parts = [];
    for (;;) {
      const part = held.slice(0, size);
      held = held.slice(part.length);
      parts.push(part);
      size -= part.length;
      if (!size) return new Blob(parts);
      if (!(await more())) throw new Error(SILENT);
    }
  }
  for (;;) {
    let end;
    while ((end = held.indexOf(10)) < 0) if (!(await more())) return;
    const step = JSON.parse(new TextDecoder().decode(held.slice(0, end)));
    held = held.slice(end + 1);
    const files = [];
    for (const size of step.sizes) files.push(await taken(size));
    yield { ...step, files };
  }
}

// A request with a file, whose answer comes in steps. The last is an error where it failed.
export async function* worked(path, values, file, signal) {
  const query = new URLSearchParams(values);
  const answer = await ask(`${path}?${query}`, { method: "POST", body: file, signal });
  for await (const step of steps(answer)) {
    if (step.error) throw new Error(step.error);
    yield step;
  }
}

export function picture(blob, alt) {
  const made = element("img", "", { src: URL.createObjectURL(blob), alt });
  made.onload = () => made.classList.toggle("tiny", made.naturalWidth < 96);
  made.onerror = () => made.remove(); // a browser cannot show it
  return made;
}
