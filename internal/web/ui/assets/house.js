// @ts-check
// The elements of every page inside: theme, toasts, dialogs, copying, tabs. sending.js follows in the same file.

// keep sets a cookie for a year. The zone in which the reader's clock runs is for the days and times of the log.
const keep = (name, v) => { document.cookie = `${name}=${v};path=/;max-age=31536000;samesite=lax` + (location.protocol === 'https:' ? ';secure' : ''); };
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone; if (/^[\w+/-]+$/.test(zone) && !document.cookie.split('; ').includes(`zone=${zone}`)) keep('zone', zone);
// <theme-switch>: radios named "theme" (auto | light | dark). The server sets data-theme from the cookie, so nothing flashes.
customElements.define('theme-switch', class extends HTMLElement {
  connectedCallback() {
    this.addEventListener('change', e => {
      const v = e.target.value, root = document.documentElement;
      v === 'auto' ? delete root.dataset.theme : root.dataset.theme = v; keep('theme', v);
    });
  }
});

// <toast-region class="toasts" role="status">. Server flashes are already inside; toast(text) adds one.
const region = () => document.querySelector('toast-region');
function toast(text, { stay = false } = {}) {
  const t = Object.assign(document.createElement('div'), { className: 'toast' });
  t.append(Object.assign(document.createElement('p'), { textContent: text }));
  region()?.append(t);
  arm(t, stay);
}
function arm(t, stay) {
  const away = () => { t.classList.add('out'); setTimeout(() => t.remove(), 250); };
  t.querySelector('[data-close]')?.addEventListener('click', away);
  if (stay || t.querySelector('a,button:not([data-close])')) return; // a toast with an action waits for you
  let timer = setTimeout(away, 6000);
  t.addEventListener('pointerenter', () => clearTimeout(timer));
  t.addEventListener('pointerleave', () => { timer = setTimeout(away, 2500); });
}
customElements.define('toast-region', class extends HTMLElement {
  connectedCallback() {
    this.querySelectorAll('.toast').forEach(t => arm(t, t.hasAttribute('data-stay')));
  }
});

// Anything with data-dialog="id" opens that <dialog>; without JS it is a link to the confirm page.
// A dialog with <input data-confirm="text"> keeps its main button off until the text is typed.
document.addEventListener('click', e => {
  const opener = e.target.closest('[data-dialog]');
  if (opener) {
    const d = document.getElementById(opener.dataset.dialog);
    if (d?.showModal) { e.preventDefault(); opener.closest('[popover]')?.hidePopover?.(); d.showModal(); }
    return;
  }
  const link = e.target.closest('a[data-ask]');
  if (link && !e.ctrlKey && !e.metaKey && !e.shiftKey) { e.preventDefault(); link.closest('[popover]')?.hidePopover?.(); ask(link.href); }
  const away = e.target.closest('[data-close-dialog]')?.closest('dialog');
  if (away) { e.preventDefault(); away.close(); }
  if (e.target instanceof HTMLDialogElement && e.target.open) { // click on the backdrop
    const r = e.target.getBoundingClientRect();
    if (e.clientX < r.left || e.clientX > r.right || e.clientY < r.top || e.clientY > r.bottom) e.target.close();
  }
});
const armConfirm = root => root.querySelectorAll('input[data-confirm]').forEach(i => {
  const b = i.form.querySelector('.primary'), set = () => { b.disabled = i.value.trim() !== i.dataset.confirm; };
  i.closest('[data-scripted]')?.removeAttribute('hidden');
  i.addEventListener('input', set); set();
});
armConfirm(document);

// A link with data-ask leads to a page that asks something in a <form data-question>. It is asked in a dialog on this page instead.
async function ask(address) {
  try {
    const res = await fetch(address);
    if (!res.ok || res.redirected) throw res.status;
    const page = new DOMParser().parseFromString(await res.text(), 'text/html'), form = page.querySelector('form[data-question]');
    const d = document.createElement('dialog'), title = Object.assign(document.createElement('h2'), { id: 'ask', textContent: page.querySelector('h1').textContent });
    d.setAttribute('aria-labelledby', 'ask');
    form.className = ''; form.setAttribute('action', address); form.dataset.page = address; form.prepend(title);
    d.append(form); document.querySelector('main').append(d);
    d.addEventListener('close', () => d.remove());
    armConfirm(d); d.showModal();
  } catch (e) { e instanceof TypeError ? gone() : location.assign(address); }
}

// The answer to a form that must not be sent again takes the address of a page that can be loaded again.
const at = document.querySelector('[data-address]');
if (at) history.replaceState(null, '', at.dataset.address);

// <copy-button><button class="btn icon" aria-label="Copy client ID">…</button></copy-button>, with value="…" or for="id".
customElements.define('copy-button', class extends HTMLElement {
  connectedCallback() {
    this.addEventListener('click', async () => {
      const v = this.getAttribute('value') ?? document.getElementById(this.getAttribute('for'))?.textContent ?? '';
      try { await navigator.clipboard.writeText(v.trim()); toast(this.getAttribute('done') || ''); }
      catch { toast(this.getAttribute('failed') || ''); }
    });
  }
});

// <tab-set>: a <nav class="tabs"> of #links followed by <section id>s. Without JS: a list of links and all sections.
// at="id" is the tab to begin with, whatever the address says. An address that names something within a section opens its tab.
customElements.define('tab-set', class extends HTMLElement {
  connectedCallback() {
    const nav = this.querySelector('.tabs'), list = document.createElement('div');
    list.className = 'tabs'; list.setAttribute('role', 'tablist'); list.setAttribute('aria-label', nav.getAttribute('aria-label') || '');
    this.tabs = [...nav.querySelectorAll('a')].map(a => {
      const id = a.hash.slice(1), panel = document.getElementById(id), b = document.createElement('button');
      b.type = 'button'; b.id = 'tab-' + id; b.innerHTML = a.innerHTML;
      b.setAttribute('role', 'tab'); b.setAttribute('aria-controls', id);
      panel.setAttribute('role', 'tabpanel'); panel.setAttribute('aria-labelledby', b.id);
      if (!panel.querySelector('a,button,input,select,textarea')) panel.tabIndex = 0;
      b.addEventListener('click', () => this.show(id, true));
      list.append(b);
      return { id, b, panel };
    });
    nav.replaceWith(list);
    list.addEventListener('keydown', e => {
      const n = this.tabs.length, i = this.tabs.findIndex(t => t.b === document.activeElement), rtl = getComputedStyle(this).direction === 'rtl' ? -1 : 1;
      const to = { ArrowRight: i + rtl, ArrowLeft: i - rtl, Home: 0, End: n - 1 }[e.key];
      if (to === undefined) return;
      e.preventDefault();
      const t = this.tabs[(to + n) % n];
      this.show(t.id, true); t.b.focus();
    });
    const at = () => {
      const id = decodeURIComponent(location.hash.slice(1)), target = id && document.getElementById(id), tab = target && this.tabs.find(t => t.panel.contains(target));
      if (target && !tab) return;
      this.show(tab?.id, false);
      if (tab && tab.panel !== target) target.focus();
    };
    addEventListener('hashchange', at);
    this.hasAttribute('at') ? this.show(this.getAttribute('at'), false) : at();
  }
  show(id, push) {
    const t = this.tabs.find(t => t.id === id) || this.tabs[0];
    for (const o of this.tabs) {
      const on = o === t;
      o.b.setAttribute('aria-selected', on); o.b.tabIndex = on ? 0 : -1; o.panel.hidden = !on;
    }
    if (push) { history.replaceState(null, '', '#' + t.id); t.b.scrollIntoView({ block: 'nearest', inline: 'center' }); }
  }
});
