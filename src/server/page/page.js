"use strict";
// The page of the control port: it asks /api/timeline for what the cluster has lived and what is to come of it, and draws it.
// Nothing is asked of any other machine, and nothing is changed but by a button.

const NAMESPACE = "http://www.w3.org/2000/svg";
const $ = id => document.getElementById(id);
const CONDITIONS = { serving: "serving", starting: "starting", draining: "draining", hung: "hung", closed: "ports closed", dead: "dead", away: "away" };
const SPANS = [["5 min", 300], ["15 min", 900], ["30 min", 1800], ["1 h", 3600], ["6 h", 21600], ["24 h", 86400], ["all", 1e9]];
const AHEADS = [["nothing", 0], ["5 min", 300], ["15 min", 900], ["30 min", 1800], ["1 h", 3600], ["6 h", 21600], ["24 h", 86400]];
const SPEEDS = [0.1, 1, 10, 60, 600];
const STEPS = ["1s", "15s", "1m", "5m", "1h"];
const LOOKS = ["health", "worker", "prometheus"];
const ROW = 26;
/** Rows of faults and of alerts that are drawn; how many more there are is told. */
const MOST_FAULTS = 12, MOST_ALERTS = 24;
const EACH = 1000;

/** What is shown; `at` is the instant that is looked at in seconds, null while it is now. */
const view = { back: 900, ahead: 900, at: null, member: null, look: "health", pins: [] };
let state = null, past = null, ahead = null, picture = null, kinds = null;
let lines = [], next = 0, resets = -1, firing = new Set();
/** Why what somebody wanted last was refused. */
let refusal = null;

/* ---- small helpers ---- */

function add(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter(child => child != null));
  return node;
}
const el = (name, attributes, ...children) => add(document.createElement(name), attributes, children);
const draw = (name, attributes, ...children) => add(document.createElementNS(NAMESPACE, name), attributes, children);
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const sum = list => list.reduce((all, one) => all + one, 0);

/** An instant or a span as a scenario writes it: 1h5m, 90s as 1m30s. */
function spell(seconds) {
  const sign = seconds < 0 ? "-" : "";
  let rest = Math.round(Math.abs(seconds) * 10) / 10;
  const parts = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["m", 60]]) {
    const whole = Math.floor(rest / size);
    if (whole > 0 || parts.length) parts.push(whole + unit);
    rest -= whole * size;
  }
  rest = Math.round(rest * 10) / 10;
  if (rest > 0 || !parts.length) parts.push(rest + "s");
  while (parts.length > 1 && /^0[a-z]$/.test(parts.at(-1))) parts.pop();
  return sign + parts.join("");
}

/** Seconds of what somebody wrote, or null. */
function read(text) {
  const found = text.trim().match(/^(-?)((?:[\d.]+(?:d|h|min|m|s))+|[\d.]+)$/);
  if (!found) return null;
  const size = { d: 86400, h: 3600, min: 60, m: 60, s: 1, "": 1 };
  const all = [...found[2].matchAll(/([\d.]+)(d|h|min|m|s|)/g)];
  const seconds = sum(all.map(([, number, unit]) => Number(number) * size[unit]));
  return Number.isFinite(seconds) ? (found[1] ? -seconds : seconds) : null;
}

/** A sentence of the table of faults: what stands in backquotes is code. */
const coded = text => text.split("`").map((part, index) => index % 2 ? el("code", null, part) : part);

const bytes = value => value >= 2 ** 30 ? (value / 2 ** 30).toFixed(2) + " GiB" : Math.round(value / 2 ** 20) + " MiB";
const number = value => Number.isInteger(value) ? String(value) : value.toFixed(1);

/** Tells a screen reader what a button has done; it speaks of nothing by itself but alerts. */
function say(text) { $("said").textContent = text; }

function trouble(text) {
  $("trouble").hidden = !text;
  if ($("trouble").textContent !== text) $("trouble").textContent = text ?? "";
}

async function ask(path, options) {
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail), { problem: answer });
  return answer;
}

/** Asks for a change, tells what came of it, and draws anew. */
async function change(path, body, told, method = "POST") {
  try {
    const answer = await ask(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    refusal = null;
    say(told);
    if (answer.clock) state = answer;
    return answer;
  } catch (error) {
    refusal = error.problem ? `${error.message}: ${error.problem.advice}` : "The mock does not answer.";
    trouble(refusal);
    return null;
  } finally {
    await refresh(true);
  }
}

/* ---- what was asked ---- */

const now = () => state?.seconds ?? 0;
const at = () => view.at ?? now();
/** What is drawn reaches a little further than the instant that is looked at. */
const margin = () => Math.min(view.back + view.ahead, 3600) / 20;
const begin = () => Math.max(Math.min(now() - view.back, at() - margin()), Math.min(past?.begins ?? 0, at()));
const end = () => Math.max(now() + view.ahead, view.at === null ? 0 : at() + margin(), begin() + 1);
const instant = seconds => seconds.toFixed(3) + "s";

let busy = false, again = false;
async function refresh(fresh) {
  if (busy) { again = again || fresh; return; }
  busy = true;
  try {
    do {
      again = false;
      await update();
    } while (again);
    trouble(refusal ?? (state.limit ? `Nothing moves any more: ${state.limit}. Reset begins anew.` : null));
  } catch (error) {
    trouble(error.problem ? `${error.message}: ${error.problem.advice}` : "The mock does not answer.");
    if (!(error instanceof TypeError) && !error.problem) throw error;
  } finally { busy = false; }
}

async function update() {
  state = await ask("api/state");
  const points = Math.round(clamp($("drawn").clientWidth / 3, 120, 360));
  // A minute more: what is told a minute needs it.
  past = await ask(`api/timeline?from=${instant(begin() - 60)}&points=${points}`);
  const wanted = end();
  const known = ahead && ahead.version === past.version && ahead.resets === past.resets && ahead.now <= past.now;
  // What is to come stays true until somebody does something: it is asked anew when a quarter of it is over.
  const enough = known && ahead.wanted >= wanted - view.ahead / 4 && past.now < ahead.to;
  if (wanted > past.now + 1 && !enough) {
    const goal = Math.min(wanted + view.ahead / 4, past.now + 86400);
    try {
      ahead = await ask(`api/timeline?from=${instant(past.now)}&to=${instant(goal)}&points=${points}`);
      ahead.wanted = goal;
    } catch (error) {
      if (error.problem?.status !== 503) throw error;
    }
  } else if (!known) ahead = null;
  picture = join(past, view.ahead > 0 || at() > past.now ? ahead : null);
  await journal();
  tell();
}

/** The past and what is to come as one picture. */
function join(past, ahead) {
  if (!ahead || ahead.resets !== past.resets || ahead.version !== past.version) return past;
  const later = span => span.at > past.now;
  const members = past.members.map((lane, index) => {
    const spans = [...lane.spans];
    for (const span of ahead.members[index].spans.filter(later)) {
      if (spans.at(-1)?.condition !== span.condition) spans.push(span);
    }
    return { ...lane, spans };
  });
  const same = (a, b) => a.name === b.name && a.from === b.from;
  const faults = past.faults.filter(one => !ahead.faults.some(other => same(one, other))).concat(ahead.faults);
  const key = bar => bar.pending + bar.alert + JSON.stringify(bar.labels);
  const coming = new Map((ahead.alerts ?? []).map(bar => [key(bar), bar]));
  const alerts = past.alerts && past.alerts.filter(bar => !coming.has(key(bar))).concat([...coming.values()]);
  const first = ahead.figures.at.findIndex(at => at > past.now);
  const more = (a, b) => first < 0 ? a : a.concat(b.slice(first));
  const figures = { members: [] };
  for (const name of ["at", "created", "ended", "failed", "queued"]) figures[name] = more(past.figures[name], ahead.figures[name]);
  past.figures.members.forEach((one, index) => {
    const other = ahead.figures.members[index];
    figures.members.push(Object.fromEntries(Object.keys(one).map(name => [name, more(one[name], other[name])])));
  });
  const seen = new Set(past.notifications.map(one => one.number));
  const notifications = past.notifications.concat(ahead.notifications.filter(one => !seen.has(one.number) && one.at > past.now));
  return { ...past, to: ahead.to, unforeseen: ahead.unforeseen, members, faults: faults.sort((a, b) => a.from - b.from), alerts, figures, notifications };
}

/** Of the journal only what is new is asked for; its numbers begin anew after a reset. */
async function journal() {
  let told = await ask("api/journal?since=" + next);
  if (told.resets !== resets) {
    if (resets >= 0) { view.pins = []; pins(); }
    lines = []; resets = told.resets;
    told = await ask("api/journal?since=0");
  }
  if (told.lines.length || !lines.length) {
    lines = lines.concat(told.lines).slice(-200);
    const line = it => el("li", null, el("button", { type: "button", title: "Look at this instant", onclick: () => look(it.seconds) }, spell(it.seconds)), " " + it.text);
    $("journal").replaceChildren(...(lines.length ? [...lines].reverse().map(line) : [el("li", { class: "quiet" }, "Nothing has happened yet.")]));
  }
  next = told.next;
}

/* ---- what is shown ---- */

function tell() {
  document.title = `${state.scenario} at ${spell(state.seconds)}`;
  $("name").textContent = state.scenario;
  $("summary").textContent = state.summary;
  $("time").textContent = spell(Math.floor(state.seconds));
  const clock = state.clock;
  const pace = clock.jump ? `jumping to ${clock.jump}` : clock.paused ? "paused" : `${clock.speed}x${clock.behind ? ", too fast for this machine" : ""}`;
  $("pace").textContent = pace;
  $("pace").classList.toggle("paused", clock.paused);
  $("date").textContent = `${state.date.slice(0, 19).replace("T", " ")} UTC, seed ${state.seed}`;
  $("pause").textContent = clock.paused ? "Resume" : "Pause";
  for (const button of $("speeds").children) button.setAttribute("aria-pressed", Number(button.value) === clock.speed);
  $("again").textContent = `mock-kestra serve ${state.scenario}-session.yaml --seed ${state.seed}`;
  $("export").setAttribute("download", `${state.scenario}-session.yaml`);
  const short = picture !== past && picture.to < end() - 1 ? [`what is to come is known up to ${spell(Math.round(picture.to))}`] : [];
  $("unforeseen").textContent = [...short, ...(picture.unforeseen ?? [])].join("; ");
  show();
  showFaults();
  showAlerts();
  if (view.at === null && view.member) lookAt(true);
}

/** All that depends on the instant that is looked at, or on what is drawn. */
function show() {
  if (!picture) return;
  where();
  drawLanes();
  drawCharts();
  if ($("tables").open) showTables();
}

function where() {
  const live = view.at === null, ahead = at() > now();
  $("live").setAttribute("aria-pressed", live);
  $("where").textContent = live ? "" : `${spell(at())}, ${ahead ? spell(Math.round(at() - now())) + " ahead" : spell(Math.round(now() - at())) + " ago"}`;
  $("where").classList.toggle("looking", !live);
  const scrub = $("scrub");
  scrub.min = Math.floor(begin()); scrub.max = Math.ceil(end());
  scrub.step = end() - begin() > 7200 ? 10 : 1;
  if (document.activeElement !== scrub || live || Math.abs(scrub.value - at()) > 1) scrub.value = at();
  scrub.setAttribute("aria-valuetext", live ? `now, ${spell(Math.floor(now()))}` : `${spell(at())}, ${ahead ? "to come" : "past"}`);
  if (document.activeElement !== $("at")) $("at").value = live ? "" : spell(at());
  address();
}

const key = bar => bar.alert + JSON.stringify(bar.labels);
const labelled = bar => Object.entries(bar.labels).filter(([name]) => !["job", "severity"].includes(name)).map(([name, value]) => name === "instance" ? value.replace(/:8081$/, "") : value).join(" ");

/** The rows of the drawing: members, faults, alerts, notifications. */
function rows() {
  const all = [{ title: "Members" }, ...picture.members.map(member => ({ member }))];
  const within = one => one.from <= end() && (one.to ?? Infinity) >= begin();
  const faults = new Map();
  picture.faults.filter(within).forEach(fault => faults.set(fault.name, [...(faults.get(fault.name) ?? []), fault]));
  if (faults.size) all.push({ title: "Faults" });
  [...faults].slice(-MOST_FAULTS).forEach(([name, bands]) => all.push({ fault: name, bands }));
  if (faults.size > MOST_FAULTS) all.push({ title: `${faults.size - MOST_FAULTS} earlier` });
  const alerts = new Map();
  (picture.alerts ?? []).filter(bar => bar.pending <= end() && (bar.resolved ?? Infinity) >= begin()).forEach(bar => alerts.set(key(bar), [...(alerts.get(key(bar)) ?? []), bar]));
  if (alerts.size) all.push({ title: "Alerts" });
  [...alerts].slice(0, MOST_ALERTS).forEach(([name, bars]) => all.push({ alert: name, bars }));
  if (alerts.size > MOST_ALERTS) all.push({ title: `${alerts.size - MOST_ALERTS} more` });
  if (picture.notifications.length) all.push({ title: "Notifications" }, { notes: picture.notifications });
  return all;
}

function conditionAt(member, seconds) {
  const spans = member.spans.filter(span => span.at <= seconds);
  return (spans.at(-1) ?? member.spans[0])?.condition ?? "away";
}

let labelsOf = "";
function drawLabels(all) {
  const wanted = JSON.stringify(all.map(row => row.title ?? row.member?.name ?? row.fault ?? row.alert ?? "notes"));
  if (wanted !== labelsOf) {
    labelsOf = wanted;
    const label = row => {
      if (row.title) return el("span", { class: "title" }, row.title);
      if (row.member) {
        return el("button", { type: "button", "data-member": row.member.name, onclick: () => select(row.member.name, view.at) },
          el("span", null, row.member.name), " ", el("small"));
      }
      if (row.fault) return el("span", { title: row.bands[0].what }, el("span", null, row.fault));
      if (row.alert) return el("span", { title: row.bars[0].alert + " " + labelled(row.bars[0]) }, el("span", null, row.bars[0].alert + " ", el("small", null, labelled(row.bars[0]))));
      return el("span", null, "sent");
    };
    $("labels").replaceChildren(...all.map(label));
  }
  all.forEach((row, index) => {
    if (!row.member) return;
    const button = $("labels").children[index], condition = conditionAt(row.member, at());
    button.className = condition;
    button.setAttribute("aria-pressed", view.member === row.member.name);
    button.querySelector("small").textContent = CONDITIONS[condition];
  });
}

/** Where an instant lies, from a width. */
const scale = width => seconds => (seconds - begin()) / (end() - begin()) * width;

function ticks(width) {
  const span = end() - begin(), room = Math.max(2, Math.floor(width / 90));
  const sizes = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
  const size = sizes.find(size => span / size <= room) ?? 2592000;
  const all = [];
  for (let tick = Math.ceil(begin() / size) * size; tick <= end(); tick += size) all.push(tick);
  return all;
}

/** The same nodes twice: as they were lived, and paler as they are to come. */
function both(make, width, height, id) {
  const x = scale(width), border = clamp(x(now()), 0, width);
  return [
    draw("defs", null,
      draw("clipPath", { id: id + "-lived" }, draw("rect", { x: 0, y: 0, width: border, height })),
      draw("clipPath", { id: id + "-coming" }, draw("rect", { x: border, y: 0, width: Math.max(width - border, 0), height }))),
    draw("g", { "clip-path": `url(#${id}-lived)` }, ...make()),
    draw("g", { "clip-path": `url(#${id}-coming)`, class: "ahead" }, ...make()),
  ];
}

function cursors(x, top, height) {
  const line = (name, seconds) => draw("line", { class: name, x1: x(seconds), x2: x(seconds), y1: top, y2: height });
  return [line("now", now()), ...(view.at === null ? [] : [line("cursor", view.at)])];
}

function drawLanes() {
  const all = rows(), width = $("drawn").clientWidth, height = all.length * ROW + 18, x = scale(width);
  drawLabels(all);
  const top = index => index * ROW + 4, thick = ROW - 8;
  const bar = (from, to, index, name, title) => {
    const left = clamp(x(from), -2, width + 2), right = clamp(x(to), -2, width + 2), wide = Math.max(right - left, 2);
    return draw("g", { class: name }, draw("title", null, title),
      draw("rect", { class: "barre", x: left, y: top(index), width: wide, height: thick, rx: 3 }));
  };
  const body = () => all.flatMap((row, index) => {
    if (row.member) {
      const spans = row.member.spans;
      return spans.map((span, number) => {
        const to = spans[number + 1]?.at ?? picture.to;
        const ends = spans[number + 1] ? ` to ${spell(to)}` : "";
        return bar(span.at, to, index, span.condition, `${row.member.name}: ${CONDITIONS[span.condition]} from ${spell(span.at)}${ends}`);
      });
    }
    if (row.fault) return row.bands.map(band => bar(band.from, band.to ?? picture.to, index, "fault", `${band.what}, ${spell(band.from)} to ${band.to === null ? "its end" : spell(band.to)}`));
    if (row.alert) {
      return row.bars.flatMap(it => {
        const over = it.resolved ?? picture.to;
        const wait = it.firing === null || it.firing > it.pending ? [bar(it.pending, it.firing ?? over, index, "pending", `${it.alert} pending from ${spell(it.pending)}`)] : [];
        return it.firing === null ? wait : [...wait, bar(it.firing, over, index, "firing", `${it.alert} fires from ${spell(it.firing)}${it.resolved === null ? "" : " to " + spell(it.resolved)}`)];
      });
    }
    if (row.notes) {
      const middle = top(index) + thick / 2;
      return row.notes.map(note => draw("g", null, draw("title", null, `${spell(note.at)}: ${note.channel ?? "message"} from ${note.flow} (${note.delivery})`),
        draw("path", { class: "markie " + (note.delivery === "taken" || note.delivery === "waiting" ? "note" : "dead"), d: `M${x(note.at)} ${middle - 6}l6 6l-6 6l-6-6z` })));
    }
    return [];
  });
  const bands = picture.faults.filter(band => band.to !== band.from).map(band => {
    const left = clamp(x(band.from), 0, width), right = clamp(x(band.to ?? picture.to), 0, width);
    return draw("rect", { class: "band", x: left, y: ROW, width: Math.max(right - left, 0), height: picture.members.length * ROW });
  });
  const tracks = all.flatMap((row, index) => row.title ? [] : [draw("rect", { class: "track", x: 0, y: top(index), width, height: thick, rx: 3 })]);
  const grid = ticks(width).flatMap(tick => [
    draw("line", { class: "tick", x1: x(tick), x2: x(tick), y1: ROW - 2, y2: height - 16 }),
    draw("text", { x: clamp(x(tick), 14, width - 16), y: height - 4, "text-anchor": "middle" }, spell(tick)),
  ]);
  const svg = $("lanes");
  add(svg, { viewBox: `0 0 ${width} ${height}`, height }, []);
  svg.setAttribute("aria-label", spoken());
  svg.replaceChildren(...tracks, ...grid, ...both(body, width, height - 16, "lanes"), ...bands, ...cursors(x, ROW - 4, height - 16));
  svg.rows = all;
}

/** What the drawing says, in a sentence for each thing that is not as usual. */
function spoken() {
  const not = picture.members.filter(member => conditionAt(member, at()) !== "serving").map(member => `${member.name} is ${CONDITIONS[conditionAt(member, at())]}`);
  const faults = picture.faults.filter(one => one.from <= at() && (one.to ?? Infinity) >= at()).map(one => one.what);
  const alerts = (picture.alerts ?? []).filter(one => one.firing !== null && one.firing <= at() && (one.resolved ?? Infinity) > at()).map(one => `${one.alert} fires`);
  const said = [...not, ...faults, ...alerts].join(", ");
  return `Members over time. At ${spell(Math.floor(at()))}: ${said || "all members serve"}.`;
}

/* ---- charts ---- */

/** How much a count grew a minute: over the minute before each instant. */
function perMinute(times, counts) {
  let from = 0;
  return counts.map((count, index) => {
    while (from + 1 < index && times[index] - times[from + 1] >= 60) from += 1;
    const span = times[index] - times[from];
    return span > 0 ? (count - counts[from]) / span * 60 : null;
  });
}

/** Threads of a member that run jobs. */
const threadsOf = member => ["worker", "standalone"].includes(member.role) ? member.threads : 0;

/** Each chart: its name, its lines as [name, class, values], how a value is written, and what it reaches at least. */
function charts() {
  const { figures, members } = picture, { at } = figures;
  const all = name => at.map((_, index) => sum(figures.members.map(one => one[name][index])));
  const each = name => members.map((member, index) => [member.name, view.member && view.member !== member.name ? "away" : "c" + index % 8, figures.members[index][name]]);
  const threads = sum(members.map(threadsOf));
  return [
    ["Executions a minute", [["started", "c0", perMinute(at, figures.created)], ["ended", "c4", perMinute(at, figures.ended)], ["failed", "c2", perMinute(at, figures.failed)]], number, 4],
    ["Jobs in workers", [["running", "c4", all("running")], ["pending", "c3", all("pending")], ["threads", "dim", at.map(() => threads)]], number, 4],
    ["Jobs in the queue", [["waiting", "c5", figures.queued]], number, 4],
    ["Heap in use", each("heap"), bytes, 2 ** 28],
    ["Connections in use", [["all pools", "c1", all("pool")], ["busiest member", "c3", at.map((_, index) => Math.max(...figures.members.map(one => one.pool[index])))]], number, 4],
  ];
}

function valueAt(times, values, seconds) {
  let index = times.findLastIndex(time => time <= seconds);
  return values[Math.max(index, 0)] ?? null;
}

function drawCharts() {
  const all = charts(), place = $("charts");
  if (place.children.length !== all.length) {
    place.replaceChildren(...all.map(([name], index) => {
      const svg = draw("svg", { role: "img", id: "chart-" + index });
      svg.addEventListener("click", event => look(secondsOf(event, svg)));
      return el("figure", { class: "card" }, el("figcaption", null, el("b", null, name), el("ul", { class: "legend" })), svg);
    }));
  }
  all.forEach(([name, curves, write, least], index) => {
    const figure = place.children[index], svg = figure.querySelector("svg"), width = svg.clientWidth, height = 118;
    const { at: times } = picture.figures, x = scale(width), foot = height - 16;
    const seen = curves.flatMap(([, , values]) => values.filter((value, at) => value !== null && times[at] >= begin() && times[at] <= end()));
    const most = Math.max(least, ...seen) * 1.08, y = value => foot - value / most * (foot - 12);
    const path = values => values.map((value, at) => value === null ? null : `${x(times[at]).toFixed(1)} ${y(value).toFixed(1)}`).filter(Boolean);
    const body = () => curves.flatMap(([, hue, values], number) => {
      const points = path(values);
      if (!points.length) return [];
      const area = number === 0 && curves.length < 4 ? [draw("path", { class: "area " + hue, d: `M${points[0].split(" ")[0]} ${foot}L${points.join("L")}V${foot}Z` })] : [];
      return [...area, draw("path", { class: "line " + hue, d: "M" + points.join("L") })];
    });
    const grid = ticks(width).flatMap(tick => [draw("line", { class: "tick", x1: x(tick), x2: x(tick), y1: 8, y2: foot }),
      draw("text", { x: clamp(x(tick), 14, width - 16), y: height - 3, "text-anchor": "middle" }, spell(tick))]);
    const dots = curves.length > 3 ? [] : curves.map(([, hue, values]) => [hue, valueAt(times, values, at())]).filter(([, value]) => value !== null)
      .map(([hue, value]) => draw("circle", { class: "dot " + hue, cx: clamp(x(at()), 0, width), cy: y(value), r: 3.5 }));
    add(svg, { viewBox: `0 0 ${width} ${height}`, height }, []);
    svg.replaceChildren(...grid, draw("line", { class: "tick", x1: 0, x2: width, y1: foot, y2: foot }), ...both(body, width, height, "chart" + index),
      draw("text", { x: 2, y: 9 }, write(most / 1.08)), ...cursors(x, 8, foot), ...dots);
    const values = curves.map(([name, hue, values]) => [name, hue, valueAt(times, values, at())]);
    const shown = curves.length > 8 ? values.filter(([name]) => name === view.member).concat(values.filter(([name]) => name !== view.member)).slice(0, 8) : values;
    const legend = shown.map(([name, hue, value]) => el("li", { class: hue }, name + " ", el("b", null, value === null ? "" : write(value))));
    if (values.length > shown.length) legend.push(el("li", { class: "away" }, `${values.length - shown.length} more: see the table`));
    figure.querySelector("ul").replaceChildren(...legend);
    svg.setAttribute("aria-label", `${name} at ${spell(Math.floor(at()))}: ${values.map(([name, , value]) => `${name} ${value === null ? "none" : write(value)}`).join(", ")}`);
  });
}

function cells(kind, all) {
  return el("tr", null, ...all.map((text, index) => el(index ? kind : "th", { scope: index ? (kind === "th" ? "col" : null) : (kind === "th" ? "col" : "row"), class: index ? "number" : null }, String(text))));
}

function showTables() {
  const { figures, members } = picture, { at: times } = figures;
  const of = (index, name) => valueAt(times, figures.members[index][name], at());
  const row = (member, index) => cells("td", [member.name, CONDITIONS[conditionAt(member, at())], of(index, "running"), of(index, "pending"), threadsOf(member), bytes(of(index, "heap")), bytes(member.heap), of(index, "pool")]);
  $("then").replaceChildren(el("caption", null, `Members at ${spell(Math.floor(at()))}`),
    el("thead", null, cells("th", ["member", "is", "running", "pending", "threads", "heap", "of", "connections"])),
    el("tbody", null, ...members.map(row)));
  const [executions, jobs, queue] = charts();
  const lists = [...executions[1], ...jobs[1].slice(0, 2), ...queue[1]];
  const line = seconds => cells("td", [spell(seconds) + (seconds > now() ? " (to come)" : ""), ...lists.map(([, , values]) => {
    const value = valueAt(times, values, seconds);
    return value === null ? "" : number(value);
  })]);
  $("rows").replaceChildren(el("caption", null, "Executions a minute, and jobs"),
    el("thead", null, cells("th", ["at", "started", "ended", "failed", "running", "pending", "in the queue"])),
    el("tbody", null, ...ticks(1200).map(line)));
}

/* ---- the instant that is looked at ---- */

function secondsOf(event, svg) {
  const box = svg.getBoundingClientRect();
  return begin() + clamp((event.clientX - box.left) / box.width, 0, 1) * (end() - begin());
}

let waiting;
/** Looks at an instant; null is now. What is further away than what is drawn is asked for. */
function look(seconds, quietly) {
  view.at = seconds === null ? null : Math.max(Math.round(seconds * 10) / 10, past?.begins ?? seconds);
  show();
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    await refresh(true);
    if (view.member) lookAt();
    if (!quietly) say(view.at === null ? "Live" : `Looking at ${spell(at())}`);
  }, 150);
}

function select(name, seconds) {
  view.member = name;
  view.at = seconds;
  $("member").hidden = false;
  show();
  lookAt().then(() => { $("member").scrollIntoView({ block: "nearest" }); $("member-name").focus({ preventScroll: true }); });
  refresh(true);
}

/** What a member answers at an instant: its text, or in words that it gives none. */
async function answer(member, what, seconds, tries = 5) {
  const lane = picture?.members.find(one => one.name === member), condition = lane && conditionAt(lane, seconds ?? now());
  if (!lane) return { gone: `no member is called ${member}` };
  if (["dead", "starting", "closed", "away"].includes(condition)) return { gone: `no connection, it is ${CONDITIONS[condition]}` };
  if (condition === "hung") return { gone: "no answer, it is hung" };
  const patience = AbortSignal.timeout(3000);
  try {
    const response = await fetch(`members/${member}/${what}${seconds === null ? "" : "?at=" + instant(seconds)}`, { signal: patience });
    const text = await response.text();
    if (response.headers.get("content-type")?.startsWith("application/problem+json") && [502, 503, 504].includes(response.status)) {
      // A look far away goes on from where it came to.
      if (response.status === 503 && tries > 1) return answer(member, what, seconds, tries - 1);
      try { return { gone: JSON.parse(text).detail }; } catch { /* It is the member's own. */ }
    }
    return { status: response.status, text };
  } catch {
    return { gone: `${member} does not answer` };
  }
}

/** A text as names and values: the samples of an exposition, or the leaves of JSON. */
function leaves(text) {
  const found = new Map();
  let whole;
  try { whole = JSON.parse(text); } catch { whole = undefined; }
  if (whole === undefined) {
    for (const line of text.split("\n")) {
      const cut = line.lastIndexOf(" ");
      if (cut > 0 && !line.startsWith("#")) found.set(line.slice(0, cut), line.slice(cut + 1));
    }
    return found;
  }
  const go = (value, path) => {
    if (value !== null && typeof value === "object" && Object.keys(value).length) Object.entries(value).forEach(([key, one]) => go(one, path ? `${path}.${key}` : key));
    else found.set(path || "(all)", JSON.stringify(value));
  };
  go(whole, "");
  return found;
}

let asked = 0;
async function lookAt(quietly) {
  const member = view.member, what = view.look, seconds = view.at, number = ++asked;
  const since = $("since").value === "now" ? null : Number($("since").value);
  $("member-name").textContent = member;
  for (const button of $("looks").children) button.setAttribute("aria-pressed", button.value === what);
  const [then, other] = await Promise.all([answer(member, what, seconds), seconds === since ? null : answer(member, what, since)]);
  if (number !== asked) return;
  const name = at => at === null ? "now" : "at " + spell(at);
  const status = one => one.gone ?? `${one.status}`;
  $("answer").textContent = `/${what} ${name(seconds)}: ${status(then)}` + (other ? `; ${name(since)}: ${status(other)}` : "");
  shown = { then: leaves(then.text ?? ""), other: other && !then.gone ? leaves(other.text ?? "") : null, seconds, since };
  showChanges();
  if (!quietly) say(`${member} ${what} ${name(seconds)}: ${status(then)}`);
}

let shown = null;
function showChanges() {
  if (!shown) return;
  const { then, other, seconds, since } = shown, filter = $("filter").value.trim().toLowerCase();
  const names = [...new Set([...then.keys(), ...(other?.keys() ?? [])])].filter(name => name.toLowerCase().includes(filter));
  const changed = name => other && then.get(name) !== other.get(name);
  const kept = names.filter(name => !other || !$("only").checked || changed(name));
  const name = at => at === null ? "now" : spell(at);
  const grew = name => {
    const [a, b] = [Number(then.get(name)), Number(other.get(name))];
    // From the earlier to the later of both.
    const grown = (seconds ?? now()) <= (since ?? now()) ? b - a : a - b;
    return then.has(name) && other.has(name) && Number.isFinite(grown) ? (grown > 0 ? "+" : "") + Number(grown.toPrecision(6)) : "";
  };
  const row = name => el("tr", { class: changed(name) ? "changed" : null }, el("td", null, name), el("td", { class: "number" }, then.get(name) ?? "none"),
    ...(other ? [el("td", { class: "number" }, other.get(name) ?? "none"), el("td", { class: "number" }, changed(name) ? grew(name) : "")] : []));
  const heads = ["", name(seconds), ...(other ? [name(since), "change"] : [])];
  const nothing = names.length ? "Nothing has changed." : "There is nothing to show.";
  $("changes").replaceChildren(el("caption", null, kept.length ? `${kept.length} of ${names.length} lines` + (kept.length > 400 ? ", the first 400" : "") : nothing),
    el("thead", null, el("tr", null, ...heads.map((text, index) => el("th", { scope: "col", class: index ? "number" : null }, text || "what")))),
    el("tbody", null, ...kept.slice(0, 400).map(row)));
}

function pins() {
  const chosen = $("since").value;
  $("since").replaceChildren(el("option", { value: "now" }, "now"), ...view.pins.map(at => el("option", { value: at }, spell(at))));
  $("since").value = view.pins.map(String).includes(chosen) ? chosen : "now";
}

/** The address of what is looked at: a link to it opens the same. */
function address() {
  const parts = [["at", view.at === null ? null : view.at], ["member", view.member], ["look", view.member && view.look]].filter(([, value]) => value !== null && value !== undefined);
  const hash = parts.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  if (location.hash.slice(1) !== hash) history.replaceState(null, "", hash ? "#" + hash : location.pathname);
}

function follow() {
  const wanted = new URLSearchParams(location.hash.slice(1)), seconds = wanted.get("at") === null ? null : read(wanted.get("at"));
  view.at = seconds;
  view.member = wanted.get("member");
  if (LOOKS.includes(wanted.get("look"))) view.look = wanted.get("look");
  $("member").hidden = !view.member;
}

/* ---- faults, alerts ---- */

function keep(list, all, none) {
  const wanted = JSON.stringify(all.map(one => one.key));
  if (list.of === wanted) return;
  list.of = wanted;
  list.replaceChildren(...(all.length ? all.map(one => one.make()) : [el("li", { class: "none" }, none)]));
}

async function showFaults() {
  const told = await ask("api/faults").catch(() => null);
  if (!told) return;
  const item = (fault, when, hue, ends) => ({
    key: [fault.name, when, ends],
    make: () => el("li", { class: hue }, el("span", null, fault.what, el("small", null, `${fault.name}, ${when}`)),
      ends ? el("button", { type: "button", "aria-label": `${ends} ${fault.name}`, onclick: () => change("api/faults/" + encodeURIComponent(fault.name), undefined, `${fault.name} is no more`, "DELETE") }, ends) : null),
  });
  const spelt = text => { const seconds = read(text ?? ""); return seconds === null ? text : spell(Math.round(seconds)); };
  const active = told.faults.map(one => item(one, (one.in_force ? `since ${spelt(one.since)}` : "waits") + (one.ends ? `, until ${spelt(one.ends)}` : "") + (one.again ? `, again at ${spelt(one.again)}` : ""), "fault", "End"));
  const planned = told.planned.map(one => item(one, `at ${spelt(one.at)}, planned by the ${one.from}`, "pending", one.from === "session" ? "Take back" : null));
  const over = told.over.slice(-3).reverse().map(one => item(one, one.ended ? `over since ${spelt(one.ended)}` : "over", "away", null));
  keep($("faults"), [...active, ...planned, ...over], "Nothing is broken.");
}

function showAlerts() {
  if (!picture.alerts) return keep($("alerts"), [], "No rules are watched: start it with serve --rules FILE.");
  const lived = past.alerts;
  const is = bar => bar.resolved !== null ? "over" : bar.firing !== null ? "firing" : "pending";
  const coming = picture.alerts.filter(bar => (bar.firing ?? bar.pending) > now());
  const item = (bar, text, hue) => ({ key: [key(bar), text], make: () => el("li", { class: hue }, el("span", null, bar.alert, el("small", null, labelled(bar)), el("small", null, text))) });
  const open = lived.filter(bar => bar.resolved === null).map(bar => item(bar, is(bar) === "firing" ? `fires since ${spell(Math.round(bar.firing))}` : `pending since ${spell(Math.round(bar.pending))}`, is(bar)));
  const soon = coming.slice(0, 6).map(bar => item(bar, bar.firing === null ? `pending at ${spell(Math.round(bar.pending))}` : `will fire at ${spell(Math.round(bar.firing))}`, "away"));
  const over = lived.filter(bar => bar.resolved !== null).slice(-4).reverse().map(bar => item(bar, `over since ${spell(Math.round(bar.resolved))}`, "away"));
  keep($("alerts"), [...open, ...soon, ...over], "All is quiet.");
  const fire = new Set(lived.filter(bar => is(bar) === "firing").map(key)), begun = lived.filter(bar => is(bar) === "firing" && !firing.has(key(bar)));
  if (begun.length) say(begun.slice(0, 3).map(bar => `${bar.alert} fires`).join(", "));
  firing = fire;
}

/* ---- the form, made from the table of faults ---- */

const names = schema => schema.enum ?? (schema.anyOf ?? []).flatMap(one => one.enum ?? []);
const plain = text => text.replace(/^"(.*)"$/, "$1");

/** A control for a key of a fault, and how its value is read. */
function control(field, id) {
  const words = field.key === "flow" ? kinds.flows : field.key === "member" ? kinds.members : names(field.schema);
  const numeric = field.schema.type === "number" || field.schema.type === "integer";
  const about = el("small", { id: id + "-doc" }, " ", ...coded(field.doc), " ", el("code", null, plain(field.example)));
  const attributes = { id, name: field.key, required: field.required, "aria-describedby": id + "-doc" };
  const alone = words.length && !(field.schema.anyOf ?? []).some(one => one.type === "number");
  const input = alone
    ? el("select", attributes, ...(field.required ? [] : [el("option", { value: "" }, "(left out)")]), ...words.map(word => el("option", { value: word }, word)))
    : el("input", { ...attributes, autocomplete: "off", spellcheck: "false", placeholder: plain(field.example) });
  const value = () => input.value.trim() === "" ? undefined : numeric && Number.isFinite(Number(input.value)) ? Number(input.value) : input.value.trim();
  return { key: field.key, node: el("div", null, el("label", { for: id }, field.key), about, input), value };
}

/** The controls of a whole fault. */
function controls(kind) {
  if (kind.fields.length) {
    const all = kind.fields.map((field, index) => control(field, "field-" + index));
    const given = () => Object.fromEntries(all.map(one => [one.key, one.value()]).filter(([, value]) => value !== undefined));
    return { nodes: all.map(one => one.node), value: given };
  }
  if (kind.target === "members") {
    const boxes = kinds.members.map(name => el("input", { type: "checkbox", name: "member", value: name, checked: name === kind.example }));
    const chosen = () => boxes.filter(box => box.checked).map(box => box.value);
    return { nodes: [el("fieldset", null, el("legend", null, "Members"), ...boxes.map(box => el("label", null, box, box.value)))], value: () => chosen().length === 1 ? chosen()[0] : chosen() };
  }
  const inner = (kind.value.anyOf ?? []).find(one => one.properties);
  const words = names(kind.value), select = el("select", { id: "target" }, ...words.map(word => el("option", { value: word, selected: word === kind.example }, word)),
    ...Object.keys(inner?.properties ?? {}).map(key => el("option", { value: ":" + key }, key)));
  const amount = el("input", { id: "amount", placeholder: "10x", autocomplete: "off", "aria-label": "How much" });
  const free = el("input", { id: "target", value: typeof kind.example === "string" ? kind.example : "", autocomplete: "off" });
  if (!words.length) return { nodes: [el("label", { for: "target" }, kind.target), free], value: () => free.value };
  const toggle = () => { amount.hidden = !select.value.startsWith(":"); };
  select.addEventListener("change", toggle);
  toggle();
  return { nodes: [el("label", { for: "target" }, kind.target === "role" ? "role" : kind.target), select, amount], value: () => select.value.startsWith(":") ? { [select.value.slice(1)]: amount.value } : select.value };
}

let form = null;
function chooseKind() {
  const kind = kinds.kinds.find(one => one.keyword === $("kind").value);
  const own = controls(kind), beside = kind.beside.map((field, index) => control(field, "beside-" + index));
  form = { kind, own, beside };
  $("doc").replaceChildren(...coded(kind.doc));
  $("fields").replaceChildren(...own.nodes, ...beside.map(one => one.node));
  $("refused").hidden = true;
}

async function prepareForm() {
  kinds = await ask("api/fault-kinds");
  const groups = { members: "Members", role: "Roles", database: "Database", tables: "Database", queue: "Queues", flow: "Flows", tasks: "Tasks", receiver: "Receivers" };
  const titles = [...new Set(Object.values(groups))];
  const option = kind => el("option", { value: kind.keyword }, kind.keyword);
  $("kind").replaceChildren(...titles.map(title => el("optgroup", { label: title }, ...kinds.kinds.filter(kind => groups[kind.target] === title).map(option))));
  const when = kinds.when.map((field, index) => control({ ...field, required: false, schema: {} }, "when-" + index));
  $("when").replaceChildren(...when.map(one => one.node));
  $("kind").addEventListener("change", chooseKind);
  chooseKind();
  $("inject").addEventListener("submit", async event => {
    event.preventDefault();
    const body = { [form.kind.keyword]: form.own.value() };
    for (const one of [...form.beside, ...when]) if (one.value() !== undefined) body[one.key] = one.value();
    try {
      const done = await ask("api/faults", { method: "POST", body: JSON.stringify(body) });
      $("refused").hidden = true;
      for (const input of $("when").querySelectorAll("input")) input.value = "";
      say(`Injected: ${done.what}`);
    } catch (error) {
      $("refused").hidden = false;
      $("refused").textContent = error.problem ? `${error.problem.detail}: ${error.problem.advice}` : "The mock does not answer.";
    }
    refresh(true);
  });
}

/* ---- buttons ---- */

const THEMES = ["auto", "light", "dark"];
function theme(name) {
  if (name === "auto") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", name);
  $("theme").textContent = "Theme: " + name;
  try { localStorage.setItem("theme", name); } catch { /* It is not kept then. */ }
}

function choices(select, all, chosen, change) {
  select.replaceChildren(...all.map(([text, value]) => el("option", { value, selected: value === chosen }, text)));
  select.addEventListener("change", () => { change(Number(select.value)); refresh(true); });
}

function pauseOrResume() {
  return state?.clock.paused ? change("api/resume", undefined, "Time goes on") : change("api/pause", undefined, "Time stands still");
}

function prepare() {
  let kept = "auto";
  try { kept = localStorage.getItem("theme") ?? "auto"; } catch { /* Nothing is kept. */ }
  theme(THEMES.includes(kept) ? kept : "auto");
  $("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf($("theme").textContent.slice(7)) + 1) % 3]));
  $("conditions").replaceChildren(...Object.entries(CONDITIONS).map(([name, text]) => el("li", { class: name }, text)));
  $("speeds").replaceChildren(...SPEEDS.map(speed => el("button", { type: "button", value: speed, "aria-pressed": "false", onclick: () => change("api/speed", { speed }, `${speed} times as fast`) }, speed + "x")));
  $("steps").replaceChildren(...STEPS.map(by => el("button", { type: "button", "aria-label": "Step ahead by " + by, onclick: () => change("api/advance", { by }, `${by} later`) }, "+" + by)));
  $("looks").replaceChildren(...LOOKS.map(what => el("button", { type: "button", value: what, "aria-pressed": "false", onclick: () => { view.look = what; address(); lookAt(); } }, "/" + what)));
  choices($("back"), SPANS, view.back, value => { view.back = value; });
  choices($("ahead"), AHEADS, view.ahead, value => { view.ahead = value; });
  $("pause").addEventListener("click", pauseOrResume);
  $("reset").addEventListener("click", () => { view.at = null; ahead = null; change("api/reset", undefined, "Back at the start"); });
  $("jump").addEventListener("submit", event => {
    event.preventDefault();
    const text = $("until").value.trim();
    if (text) change("api/run-until", { at: text, now: true }, `It is ${text} now, and time stands still`);
  });
  $("scrub").addEventListener("input", () => look(Number($("scrub").value), true));
  $("goto").addEventListener("submit", event => {
    event.preventDefault();
    const seconds = read($("at").value);
    if (seconds === null) return say(`${$("at").value} is no instant: write 12m or 1h5m30s`);
    if (seconds > now() + 86400) return say("That is more than 24 hours ahead");
    $("at").blur();
    look(seconds);
  });
  $("live").addEventListener("click", () => look(null));
  $("link").addEventListener("click", async () => {
    const link = `${location.origin}${location.pathname}#at=${at()}${view.member ? `&member=${encodeURIComponent(view.member)}&look=${view.look}` : ""}`;
    try { await navigator.clipboard.writeText(link); say("The link is copied"); } catch { prompt("The link:", link); }
  });
  $("lanes").addEventListener("click", event => {
    const svg = $("lanes"), row = svg.rows[Math.floor((event.clientY - svg.getBoundingClientRect().top) / ROW)];
    const seconds = secondsOf(event, svg);
    if (row?.member) select(row.member.name, Math.round(seconds * 10) / 10);
    else look(seconds);
  });
  $("close").addEventListener("click", () => { const name = view.member; view.member = null; $("member").hidden = true; show(); document.querySelector(`[data-member="${CSS.escape(name)}"]`)?.focus(); });
  $("pin").addEventListener("click", () => {
    const pinned = Math.round(at() * 10) / 10;
    if (!view.pins.includes(pinned)) view.pins = [...view.pins, pinned].slice(-12).sort((a, b) => a - b);
    pins();
    $("since").value = pinned;
    say(`Pinned ${spell(pinned)}: what is looked at is compared with it`);
    lookAt(true);
  });
  $("since").addEventListener("change", () => lookAt());
  for (const name of ["only", "filter"]) $(name).addEventListener("input", showChanges);
  $("tables").addEventListener("toggle", () => picture && $("tables").open && showTables());
  $("export").addEventListener("click", async () => {
    const text = await fetch("api/scenario").then(response => response.text(), () => "");
    const told = text.split("\n").filter(line => line.startsWith("# ")).slice(1).map(line => line.slice(2));
    $("left-out").textContent = told.join(" ") || "All that was done is in it.";
  });
  // Space is the pause, where it means nothing else.
  document.addEventListener("keydown", event => {
    if (event.key === " " && event.target === document.body) { event.preventDefault(); pauseOrResume(); }
    if (event.key === "Escape" && view.at !== null && !["INPUT", "SELECT"].includes(event.target.tagName)) look(null);
  });
  window.addEventListener("hashchange", () => { follow(); refresh(true).then(() => view.member && lookAt()); });
  new ResizeObserver(() => show()).observe($("drawn"));
}

async function begins() {
  prepare();
  follow();
  await refresh(true);
  if (view.member) lookAt(true);
  await prepareForm().catch(error => trouble(error.message));
  document.body.dataset.ready = "true";
  setInterval(() => { if (!document.hidden) refresh(); }, EACH);
}
begins();
