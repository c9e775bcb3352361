// Elements made from values. Text enters the document as text, never as markup.
//
// Exports (stable):
//   el(tag, props, ...children)   an HTML element
//   svg(tag, props, ...children)  the same in the namespace of SVG
//   replace(node, ...children)    have a node hold these children and nothing else
//   write(node, text)             set a node's text, only where it differs
//   mark(node, name, value)       set an attribute (null or false: remove), only where it differs
//   say(text)                     tell it to those who do not see the page (aria-live, polite)
//
// Props: `class` and every other key is an attribute (true: present, false, null or
// undefined: absent); `on: {click: fn}` adds listeners; `data: {name: v}` sets
// data-name; `style: {prop: v}` goes through the CSSOM, which the strict policy allows.
// Children: nodes, texts, numbers, arrays of these; null, undefined and false are left out.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, props, ...children) {
  return filled(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

export function replace(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

export function write(node, text) {
  const wanted = String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const wanted = value === true ? "" : String(value);
  if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
}

// The text is set even where it is the same: the same words again are news.
export function say(text) {
  document.getElementById("said").textContent = text;
}

function filled(node, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (key === "on") {
      for (const [type, fn] of Object.entries(value)) node.addEventListener(type, fn);
    } else if (key === "data") {
      for (const [name, text] of Object.entries(value)) node.dataset[name] = text;
    } else if (key === "style") {
      for (const [name, text] of Object.entries(value)) node.style.setProperty(name, text);
    } else {
      mark(node, key, value);
    }
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== true);
}
