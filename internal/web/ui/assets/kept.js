// @ts-check
// What was typed into a form is kept in this tab until a page inside answers: while somebody signs in again, proves who they are,
// or meets an error. It is brought back once, on the same page, to the same person, within an hour. Passwords, files, what confirms
// a deletion and hidden fields are not kept, but for `was`: what the form showed, so that saving still hears what others changed.
const name = 'kept', life = 3_600_000, most = 200_000, main = document.querySelector('main');
export const drop = () => { try { sessionStorage.removeItem(name); } catch { /* nothing is kept */ } };
function read() {
  try {
    const k = JSON.parse(sessionStorage.getItem(name) || '');
    if (Date.now() - k.at < life) return k;
  } catch { /* nothing is kept */ }
  drop();
}
function write(k) {
  const text = JSON.stringify(k);
  try { text.length > most ? drop() : sessionStorage.setItem(name, text); } catch { drop(); }
}

const seen = i => i.matches('textarea,select,input:not([type=hidden],[type=file],[type=password],[type=submit],[data-confirm])');
const shown = i => i.type === 'hidden' && /^was(_|$)/.test(i.name);
const ticked = i => i.type === 'checkbox' || i.type === 'radio';
const fields = (form, is) => [...form.elements].filter(i => i.name && !i.disabled && is(i));
const value = i => ticked(i) ? [i.value, i.checked] : i.options ? [...i.selectedOptions].map(o => [o.value, o.text]) : i.value;
/** The page of a form, and where it leads; several of a page may lead to one place. */
const pageOf = form => form.dataset.page || main.dataset.page;
const path = page => page.split('?')[0];
const leads = form => new URL(form.getAttribute('action') || pageOf(form), location.origin).pathname;
const alike = action => [...document.forms].filter(f => f.getAttribute('method') === 'post' && leads(f) === action);

// A form with data-unsaved says that it is not saved, and the browser asks before what was typed in it is left.
const dirty = new Set();
export function typed(form) {
  if ('unsaved' in form.dataset) { form.classList.add('typed'); dirty.add(form); }
}
addEventListener('beforeunload', e => { if (dirty.size) e.preventDefault(); });

/** keep notes a form that is sent, or one that cannot be: wanted says that it is to come back. */
export function keep(form, wanted) {
  dirty.delete(form);
  const kept = {};
  for (const i of fields(form, i => seen(i) || shown(i))) (kept[i.name] ??= []).push(value(i));
  const action = leads(form);
  write({ at: Date.now(), me: main.dataset.me, page: pageOf(form), action, nth: alike(action).indexOf(form), wanted, fields: kept });
}

/** back brings it back, where it belongs. A page inside that answers a form needs nothing back; one to which the browser went back answers none. */
export async function back() {
  const k = read(), went = performance.getEntriesByType('navigation')[0]?.type === 'back_forward';
  if (!k || k.me !== main.dataset.me || !k.wanted && !went) return drop();
  if (path(k.page) !== path(main.dataset.page)) return write({ ...k, wanted: true }); // on the way there
  drop();
  if (document.readyState !== 'complete') await new Promise(r => addEventListener('load', r, { once: true }));
  const form = alike(k.action)[k.nth];
  if (!form) return;
  for (const [n, rows] of Object.entries(k.fields)) {
    fields(form, i => i.name === n && seen(i))[0]?.closest('pair-list')?.grow(rows.length);
  }
  fields(form, shown).forEach(i => i.remove());
  for (const n of Object.keys(k.fields).filter(n => /^was(_|$)/.test(n)))
    form.append(...k.fields[n].map(v => Object.assign(document.createElement('input'), { type: 'hidden', name: n, value: v })));
  fill(form, k.fields);
  for (const i of fields(form, seen)) for (const e of ['input', 'change']) i.dispatchEvent(new Event(e, { bubbles: true }));
  fill(form, k.fields); // what follows other fields has followed them
  const note = document.querySelector('template[data-kept]').content.firstElementChild.cloneNode(true);
  form.before(note);
  const tab = form.closest('[role=tabpanel]');
  if (tab) { history.replaceState(null, '', '#' + tab.id); dispatchEvent(new Event('hashchange')); }
  form.closest('details')?.setAttribute('open', '');
  form.closest('dialog')?.showModal();
  note.focus();
}

function fill(form, kept) {
  for (const [n, rows] of Object.entries(kept)) {
    fields(form, i => i.name === n && seen(i)).forEach((i, at) => {
      const v = rows[at];
      if (ticked(i)) i.checked = rows.find(([of]) => of === i.value)?.[1] ?? i.checked;
      else if (!i.options) i.value = v ?? '';
      else if (v) {
        for (const [of, text] of v) if (![...i.options].some(o => o.value === of)) i.append(new Option(text, of));
        for (const o of i.options) o.selected = v.some(([of]) => of === o.value);
      }
    });
  }
}

// An error in answer to a form, or a proof that is asked for first, says that it is kept.
for (const p of document.querySelectorAll('[data-keep]')) {
  const k = read();
  if (k) { write({ ...k, wanted: true }); p.hidden = false; }
}
