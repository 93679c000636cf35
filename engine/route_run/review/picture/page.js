"use strict";
// Places what the data say; what a policy does was decided before, none of it here.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const MOST_WIRED = 40; // above so many routes only the chosen one is wired to its endpoints

function make(tag, about = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name === "text") node.textContent = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
$("about").textContent = [counted(data.routes.length, "route"), counted(data.bounds.length, "bound"),
  counted(data.endpoints.length, "endpoint"), `policy ${data.digest.slice(0, 12)}`].join(" · ");

// -- what is drawn once -----------------------------------------------------------------------------

function lane(route, number) {
  const skipped = route.witness ? route.witness.skipped : {};
  const tags = make("div", {class: "tags"});
  if (route.precedence) tags.append(make("span", {class: "tag strong", text: `precedence ${route.precedence}`}));
  for (const guard of route.guards) tags.append(make("span", {class: "tag guard", text: `⛨ ${guard}`}));
  for (const parameter of route.parameters) tags.append(make("span", {class: "tag", text: parameter}));
  if (route.verify) tags.append(make("span", {class: "tag", text: `verified: ${route.verify}`}));
  const targets = make("ol", {class: "targets"});
  route.targets.forEach((target, place) => {
    const item = make("li", {"data-endpoint": target.endpoint, title: skipped[target.name] || target.price},
      make("b", {text: String(place + 1)}), make("span", {text: target.name}));
    if (skipped[target.name]) item.className = "skipped";
    targets.append(item);
  });
  const ways = route.ways.join(", ");
  return make("div", {class: "route", role: "option", tabindex: "-1", "data-route": String(number), "aria-selected": "false"},
    make("div", {class: "asks"}, make("span", {text: route.requests || ways}),
      route.requests && ways !== "by match" ? make("small", {text: ways}) : null),
    make("div", {class: "arrow", text: "→"}),
    make("div", {}, make("div", {class: "name", text: route.name}), tags),
    make("div", {class: "arrow", text: "→"}),
    targets);
}

const lanes = data.routes.map(lane);
$("routes").append(...lanes, make("p", {class: "empty", id: "none", hidden: "", text: "No route matches the filter."}));
$("routes").classList.toggle("many", lanes.length > MOST_WIRED);
const haystacks = data.routes.map((route) => [route.name, route.requests, route.description, route.owner, route.upstream,
  ...route.targets.map((target) => target.name), ...route.bounds.map((bound) => bound.bound)].join(" ").toLowerCase());

const endpointCards = new Map(data.endpoints.map((endpoint) => [endpoint.name,
  make("div", {class: endpoint.drained ? "endpoint drained" : "endpoint"},
    make("strong", {text: endpoint.name}),
    make("small", {text: [endpoint.dialect, ...endpoint.labels].join(", ") + (endpoint.drained ? ", drained" : "")}),
    endpoint.limits.length ? make("small", {text: endpoint.limits.join(", ")}) : null)]));
$("endpoints").append(...endpointCards.values());

data.bounds.forEach((bound, number) => {
  $("bounds").append(make("button", {type: "button", "aria-pressed": "false", "data-bound": String(number), title: bound.place},
    make("strong", {text: bound.name}), make("span", {text: `${bound.requests}: ${bound.says}`})));
});

// -- details ----------------------------------------------------------------------------------------

function heading(panel, text) { panel.append(make("h3", {text})); }

function valueList(values) {
  const list = make("dl");
  for (const value of values) {
    list.append(make("dt", {text: value.of ? `${value.of}: ${value.name}` : value.name}, make("span", {text: value.value})));
    for (const source of value.sources) {
      const says = source.says ? `${source.says}: ` : "";
      list.append(make("dd", {text: says + source.origin + (source.place ? ` (${source.place})` : "")}));
    }
  }
  return list;
}

function listOf(kind, texts) { return make(kind, {}, ...texts.map((text) => make("li", {text}))); }

function details(route) {
  const panel = $("details");
  panel.replaceChildren(make("button", {type: "button", class: "close", "aria-label": "Close", text: "✕"}),
    make("h2", {text: route.name}), make("p", {class: "place mono", text: route.place}));
  if (route.description) panel.append(make("p", {text: route.description}));
  if (route.owner) panel.append(make("p", {text: `Owner: ${route.owner}`}));
  panel.append(make("p", {text: `Takes ${route.requests || "what comes another way"}; reached ${route.ways.join(", ") || "by nobody"}.`}));
  heading(panel, "A request it takes");
  if (route.witness) {
    panel.append(make("p", {text: route.witness.request}), make("code", {class: "command", text: route.witness.command}),
      make("p", {text: route.witness.outcome}), listOf("ol", route.witness.targets));
    if (route.witness.parameters) panel.append(make("p", {text: `with ${route.witness.parameters}`}));
    const skipped = Object.entries(route.witness.skipped).map(([target, why]) => `${target} is skipped: ${why}`);
    if (skipped.length) panel.append(listOf("ul", skipped));
  } else panel.append(make("p", {text: "None is shown: what comes here depends on its text, or is too large to make up."}));
  heading(panel, "At worst");
  panel.append(listOf("ul", route.worst));
  heading(panel, "Bounds that touch it");
  panel.append(route.bounds.length ? valueList(route.bounds.map((bound) => ({name: bound.bound,
    value: bound.always ? "always" : "for some requests", sources: [{says: "", origin: bound.says, place: bound.place}]})))
    : make("p", {text: "None."}));
  heading(panel, "Values, and what set them");
  panel.append(valueList(route.values));
  heading(panel, "Targets");
  panel.append(valueList(route.targets.flatMap((target) => target.values)));
  heading(panel, "Rehearsals");
  panel.append(route.rehearsals.length ? listOf("ul", route.rehearsals) : make("p", {text: "None names this route."}));
  panel.hidden = false;
  panel.scrollTop = 0;
}

// -- lines ------------------------------------------------------------------------------------------

let chosen = -1, hovered = -1, drawing = false;

function wire(number, className) {
  const map = $("map").getBoundingClientRect(), column = $("endpoints").getBoundingClientRect();
  return [...lanes[number].querySelectorAll("li")].map((item) => {
    const from = item.getBoundingClientRect(), to = endpointCards.get(item.dataset.endpoint).getBoundingClientRect();
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const x = from.right - map.left, y = from.top + from.height / 2 - map.top;
    const end = column.left - map.left + 2;
    const height = Math.min(Math.max(to.top + to.height / 2, column.top), column.bottom) - map.top;
    const bend = Math.max(30, (end - x) / 2);
    path.setAttribute("d", `M${x},${y} C${x + bend},${y} ${end - bend},${height} ${end},${height}`);
    path.setAttribute("class", `${className} ${item.className === "skipped" ? "off" : ""}`);
    return path;
  });
}

function draw() {
  drawing = false;
  const lit = hovered >= 0 ? hovered : chosen;
  const all = lanes.length <= MOST_WIRED ? lanes.map((_, number) => number) : [];
  const paths = all.filter((number) => number !== lit && !lanes[number].hidden)
    .flatMap((number) => wire(number, lit >= 0 ? "dim" : ""));
  if (lit >= 0 && !lanes[lit].hidden) paths.push(...wire(lit, "lit"));
  $("lines").replaceChildren(...paths);
  const reached = new Set(lit < 0 ? [] : data.routes[lit].targets.map((target) => target.endpoint));
  for (const [name, card] of endpointCards) card.classList.toggle("lit", reached.has(name));
}

function redraw() {
  if (!drawing) { drawing = true; requestAnimationFrame(draw); }
}

// -- what a person does -------------------------------------------------------------------------------

function open(number) {
  if (chosen >= 0) lanes[chosen].setAttribute("aria-selected", "false");
  chosen = number;
  lanes[number].setAttribute("aria-selected", "true");
  reach(number);
  details(data.routes[number]);
  redraw();
}

function close() {
  if (chosen < 0) return;
  const last = chosen;
  lanes[chosen].setAttribute("aria-selected", "false");
  chosen = -1;
  $("details").hidden = true;
  lanes[last].focus();
  redraw();
}

function reach(number) {
  for (const other of $("routes").querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  lanes[number].tabIndex = 0;
}

function step(from, way) {
  const seen = lanes.map((_, number) => number).filter((number) => !lanes[number].hidden);
  if (!seen.length) return;
  const place = seen.indexOf(from);
  const next = way === "first" ? seen[0] : way === "last" ? seen[seen.length - 1]
    : seen[Math.min(seen.length - 1, Math.max(0, place + way))];
  reach(next);
  lanes[next].focus();
  if (chosen >= 0) open(next);
}

const numberOf = (event) => {
  const found = event.target.closest ? event.target.closest(".route") : null;
  return found ? Number(found.dataset.route) : -1;
};

$("routes").addEventListener("click", (event) => {
  const number = numberOf(event);
  if (number >= 0) { lanes[number].focus({preventScroll: true}); open(number); }
});
$("routes").addEventListener("pointerover", (event) => { hovered = numberOf(event); redraw(); });
$("routes").addEventListener("pointerleave", () => { hovered = -1; redraw(); });
$("routes").addEventListener("keydown", (event) => {
  const number = numberOf(event);
  const ways = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: "first", End: "last"};
  if (number < 0) return;
  if (event.key in ways) { event.preventDefault(); step(number, ways[event.key]); }
  else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(number); }
  else if (event.key === "ArrowRight" && chosen >= 0) { event.preventDefault(); $("details").focus(); }
});
$("details").addEventListener("click", (event) => { if (event.target.closest(".close")) close(); });
$("details").addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft" && chosen >= 0) lanes[chosen].focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (document.activeElement === $("filter") && $("filter").value) { $("filter").value = ""; sift(); }
    else close();
  } else if (event.key === "/" && document.activeElement !== $("filter")) { event.preventDefault(); $("filter").focus(); }
});

function sift() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  lanes.forEach((node, number) => {
    node.hidden = !words.every((word) => haystacks[number].includes(word));
    if (!node.hidden) shown += 1;
  });
  $("none").hidden = shown > 0;
  const first = lanes.findIndex((node) => !node.hidden);
  if (first >= 0) reach(chosen >= 0 && !lanes[chosen].hidden ? chosen : first);
  redraw();
}
$("filter").addEventListener("input", sift);
$("filter").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); step(-1, "first"); }
});

$("bounds").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const pressed = button.getAttribute("aria-pressed") === "true";
  for (const other of $("bounds").children) other.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", String(!pressed));
  const touched = new Set(data.bounds[Number(button.dataset.bound)].routes);
  lanes.forEach((node, number) => node.classList.toggle("dim", !pressed && !touched.has(data.routes[number].name)));
});

const themes = [["", "◐", "as the system"], ["light", "☀", "light"], ["dark", "☾", "dark"]];
$("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme || "";
  const [name, sign, words] = themes[(themes.findIndex(([theme]) => theme === now) + 1) % themes.length];
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  $("theme").textContent = sign;
  $("theme").setAttribute("aria-label", `Colours: ${words}`);
});

new ResizeObserver(redraw).observe($("map"));
addEventListener("resize", redraw);
addEventListener("scroll", redraw, {passive: true});
$("endpoints").addEventListener("scroll", redraw, {passive: true});
sift();
