"use strict";

const $ = (id) => document.getElementById(id);
const step = 50;
const state = { limit: step, chosen: "", loaded: "", view: "html", detail: null };

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

const people = (list) => (list || []).map((a) => (a.Name && a.Address ? `${a.Name} <${a.Address}>` : a.Address || a.Name)).join(", ");

async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  return answer;
}

function row(item) {
  const m = item.mail || item.sms;
  const entry = element("li");
  const link = element("a", m.Read ? "row" : "row unread");
  link.href = "#" + m.ID;
  link.dataset.id = m.ID;
  const who = item.mail ? people([...m.To, ...m.Cc, ...m.Bcc]) : m.To;
  const time = element("time", "", clock.format(new Date(m.Created)));
  time.dateTime = m.Created;
  const what = element("span", "what");
  if (item.sms) what.append(element("span", "tag", "SMS"));
  what.append(item.mail ? m.Subject || "(no subject)" : m.Body);
  link.append(element("span", "who", "To " + (who || "nobody")), time, what);
  if (item.mail) link.append(element("span", "peek", m.Snippet || "\u00a0"));
  if (!m.Read) link.append(element("span", "hidden", "unread"));
  if (m.ID === state.chosen) link.setAttribute("aria-current", "true");
  entry.append(link);
  return entry;
}

function showList(answer) {
  const focused = document.activeElement?.dataset?.id;
  $("messages").replaceChildren(...answer.items.map(row));
  if (focused) document.querySelector(`.row[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  const searching = $("query").value.trim() !== "";
  const noun = answer.matching === 1 ? "message" : "messages";
  $("count").textContent = searching
    ? `${answer.matching} of ${answer.total} match`
    : `${answer.matching} ${noun}, ${answer.unread} unread`;
  document.title = (answer.unread ? `(${answer.unread}) ` : "") + "Inbox · Sidecart";
  $("none").hidden = answer.items.length > 0;
  $("none").textContent = searching ? "No message matches this search." : "No messages yet.";
  $("more").hidden = answer.items.length >= answer.matching;
  $("delete-all").disabled = answer.total === 0;
}

let refreshing = false;
let again = false;

// refresh runs once at a time; a change that comes meanwhile runs it once more.
async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    do {
      again = false;
      const parameters = new URLSearchParams({ limit: state.limit, query: $("query").value });
      showList(await (await ask("/api/inbox?" + parameters)).json());
      await showMessage();
    } while (again);
  } catch (error) {
    report("lost", "Cannot read the inbox: " + error.message);
  } finally {
    refreshing = false;
  }
}

function field(name, value) {
  return value ? [element("dt", "", name), element("dd", "", value)] : [];
}

async function showMessage() {
  const id = state.chosen;
  document.body.classList.toggle("reading", id !== "");
  if (id === state.loaded) return;
  if (!id) return nothing("Choose a message to read it.");
  const answer = await fetch(`/api/inbox/messages/${encodeURIComponent(id)}`);
  if (id !== state.chosen) return;
  if (!answer.ok) return nothing("This message is no longer here.");
  const item = await answer.json();
  if (id !== state.chosen || id === state.loaded) return;
  state.loaded = id;
  if (item.sms) showSMS(item.sms);
  else showMail(item.mail);
  $("nothing").hidden = true;
  $("message").hidden = false;
}

function nothing(text) {
  state.loaded = state.chosen;
  $("nothing").hidden = false;
  $("nothing").firstElementChild.textContent = text;
  $("message").hidden = true;
}

function showSMS(m) {
  $("mail").hidden = true;
  $("bubble").hidden = false;
  $("bubble").textContent = m.Body;
  $("subject").textContent = "SMS to " + m.To;
  $("attachments").replaceChildren();
  $("fields").replaceChildren(
    ...field("From", m.From), ...field("To", m.To),
    ...field("Received", calendar.format(new Date(m.Created))), ...field("Reference", m.Reference));
}

function showMail(m) {
  state.detail = m;
  $("mail").hidden = false;
  $("bubble").hidden = true;
  $("subject").textContent = m.Subject || "(no subject)";
  $("fields").replaceChildren(
    ...field("From", people([m.From])), ...field("To", people(m.To)), ...field("Cc", people(m.Cc)),
    ...field("Bcc", people(m.Bcc)), ...field("Reply-To", people(m.ReplyTo)),
    ...field("Date", calendar.format(new Date(m.Date))), ...field("Message-ID", m.MessageID));
  $("attachments").replaceChildren(...[...m.Attachments, ...m.Inline].map((part) => {
    const link = element("a", "", `${part.FileName} (${Math.max(1, Math.round(part.Size / 1024))} KB)`);
    link.href = `/api/v1/message/${m.ID}/part/${part.PartID}`;
    link.target = "_blank";
    return link;
  }));
  $("tab-html").disabled = !m.HTML;
  show(m.HTML ? state.view : state.view === "source" ? "source" : "text");
}

async function show(view) {
  const m = state.detail;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const selected = tab.dataset.view === view;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    if (selected) $("panel").setAttribute("aria-labelledby", tab.id);
  }
  $("frame").hidden = view !== "html";
  $("plain").hidden = view === "html";
  if (view === "html") {
    $("frame").src = `/view/${m.ID}.html`;
    return;
  }
  $("plain").textContent = view === "text" ? m.Text : "Loading…";
  if (view === "source") {
    const source = await (await ask(`/api/v1/message/${m.ID}/raw`)).text();
    if (state.detail === m && $("tab-source").getAttribute("aria-selected") === "true") $("plain").textContent = source;
  }
}

function report(kind, text) {
  $("state").className = "state " + kind;
  $("state").textContent = text;
}

function choose() {
  state.chosen = decodeURIComponent(location.hash.slice(1));
  if (state.chosen === "reader") return $("reader").focus();
  for (const link of document.querySelectorAll(".row")) {
    if (link.dataset.id === state.chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  showMessage().catch((error) => report("lost", "Cannot read the message: " + error.message));
}

let typing;
$("query").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    state.limit = step;
    refresh();
  }, 150);
});
$("search").addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
$("more").addEventListener("click", () => {
  state.limit += step;
  refresh();
});
$("delete-all").addEventListener("click", () => {
  $("confirm").returnValue = "";
  $("confirm").showModal();
});
$("confirm").addEventListener("close", async () => {
  if ($("confirm").returnValue !== "yes") return;
  await ask("/api/v1/messages", { method: "DELETE" });
  location.hash = "";
  refresh();
});
document.querySelector("[role=tablist]").addEventListener("click", (event) => {
  const view = event.target.dataset.view;
  if (!view) return;
  state.view = view;
  show(view);
});
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!move) return;
  const tabs = [...document.querySelectorAll("[role=tab]:not(:disabled)")];
  const next = tabs[(tabs.indexOf(event.target) + move + tabs.length) % tabs.length];
  next.focus();
  next.click();
});
addEventListener("hashchange", choose);

const events = new EventSource("/api/inbox/events");
events.addEventListener("open", () => {
  report("live", "Live");
  refresh();
});
events.addEventListener("change", refresh);
events.addEventListener("error", () => report("lost", "Not connected, trying again"));

choose();
refresh();
