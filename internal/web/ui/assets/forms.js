// @ts-check
// The elements of forms inside: rows of fields, lists to choose from, names made of other fields. One module, so that a page
// stays within its requests also where an administrator has chosen a colour.

// <pair-list>: rows of fields. The button adds an empty row like the last one, a cross takes a row away. Labels with a number
// are counted anew from data-label. Without JS the server adds one empty row on each save.
customElements.define('pair-list', class extends HTMLElement {
  connectedCallback() {
    const list = this.querySelector('.pairs'), add = this.querySelector('[data-add]');
    const typed = 'input,textarea';
    const empty = li => {
      li.querySelectorAll(typed).forEach(i => { i.value = ''; i.removeAttribute('aria-invalid'); i.removeAttribute('aria-describedby'); });
      li.querySelectorAll('select').forEach(s => { s.selectedIndex = 0; });
      li.querySelectorAll('.error').forEach(e => e.remove());
    };
    const count = () => [...list.children].forEach((li, n) => {
      li.querySelectorAll('[data-label]').forEach(e => e.setAttribute('aria-label', e.dataset.label.replace('{n}', String(n + 1))));
      li.querySelectorAll('input[id],textarea[id]').forEach(i => { i.id = `${i.name}[${n}]`; });
    });
    const more = () => { const li = list.lastElementChild.cloneNode(true); empty(li); list.append(li); count(); return li; };
    this.grow = n => { while (list.children.length < n) more(); };
    this.querySelectorAll('[data-add],[data-remove]').forEach(b => { b.hidden = false; });
    this.addEventListener('click', e => {
      if (e.target.closest('[data-add]')) {
        const last = list.lastElementChild;
        if ([...last.querySelectorAll(typed)].every(i => !i.value)) return last.querySelector('input').focus();
        more().querySelector('input').focus();
      } else if (e.target.closest('[data-remove]')) {
        const li = e.target.closest('li'), to = li.nextElementSibling || li.previousElementSibling;
        list.children.length > 1 ? li.remove() : empty(li);
        count(); (to ? to.querySelector('input') : add).focus();
      }
    });
  }
});

// <form data-found="id">: what is typed is searched for at once, and the part with that id comes from the answer.
const part = (address, id) => fetch(address).then(r => r.text()).then(t => new DOMParser().parseFromString(t, 'text/html').getElementById(id), () => { dispatchEvent(new Event('server-gone')); });
const search = async (form, id) => { const next = await part(`?${new URLSearchParams(new FormData(form))}`, id); if (next) document.getElementById(id)?.replaceWith(next); };
let typing; document.addEventListener('input', e => { const f = e.target.closest('form[data-found]'); clearTimeout(typing); if (f) typing = setTimeout(search, 300, f, f.dataset.found); });

// <combo-box> around <label> + <select multiple>: becomes chips and a filterable list. The select stays the value that is sent.
// more="find": what is typed is also looked for by this page with that parameter, and the options that come back are added.
customElements.define('combo-box', class extends HTMLElement {
  connectedCallback() {
    const sel = this.querySelector('select'), label = this.querySelector('label');
    const el = (n, a = {}) => { const x = document.createElement(n); for (const k in a) k === 'text' ? x.textContent = a[k] : x.setAttribute(k, a[k]); return x; };
    const id = sel.id + '-find', input = el('input', { id, role: 'combobox', autocomplete: 'off', 'aria-expanded': 'false', 'aria-controls': id + '-list', 'aria-autocomplete': 'list', placeholder: this.getAttribute('placeholder') || '' });
    const list = el('ul', { id: id + '-list', role: 'listbox', class: 'combo-list', 'aria-label': label.textContent, hidden: '' });
    const chips = el('div', { class: 'picks' });
    label.htmlFor = id; sel.hidden = true;
    for (const a of ['aria-invalid', 'aria-describedby']) if (sel.hasAttribute(a)) input.setAttribute(a, sel.getAttribute(a));
    const box = el('div', { class: 'combo-field' }); box.append(input, list);
    this.append(chips, box);
    let active = -1, quiet = false; // quiet: the focus comes back, and no list opens over what is below
    const drawChips = () => {
      chips.replaceChildren(...[...sel.selectedOptions].map(o => {
        const c = el('span', { class: 'chip on', text: o.text }), x = el('button', { type: 'button', 'aria-label': (this.getAttribute('remove') || 'Remove') + ' ' + o.text });
        x.innerHTML = `<svg class="i" aria-hidden="true"><use href="${new URL('icons.svg', import.meta.url).pathname}#x"/></svg>`;
        x.onclick = () => { o.selected = false; drawChips(); quiet = true; input.focus(); quiet = false; };
        c.append(x); return c;
      }));
      chips.hidden = !chips.childElementCount;
    };
    const open = on => { list.hidden = !on; input.setAttribute('aria-expanded', on); if (!on) { active = -1; input.removeAttribute('aria-activedescendant'); } };
    const draw = () => {
      const q = plain(input.value).split(/\s+/);
      list.replaceChildren(...[...sel.options].filter(o => !o.selected && q.every(w => plain(o.text).includes(w))).map((o, i) => {
        const li = el('li', { role: 'option', id: `${id}-${i}`, text: o.text, 'aria-selected': 'false' });
        li.onpointerdown = e => { e.preventDefault(); pick(o); };
        li.option = o; return li;
      }));
      active = -1; open(list.childElementCount > 0);
    };
    const plain = s => s.trim().normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
    const more = this.getAttribute('more'); let timer;
    const look = async () => {
      const q = input.value.trim(), found = q && await part(`?${more}=${encodeURIComponent(q)}`, sel.id);
      [...found?.options ?? []].filter(o => ![...sel.options].some(x => x.value === o.value)).forEach(o => sel.append(new Option(o.text, o.value)));
      if (document.activeElement === input && q === input.value.trim()) draw();
    };
    sel.addEventListener('change', drawChips); const pick = o => { o.selected = true; input.value = ''; drawChips(); open(false); sel.dispatchEvent(new Event('input', { bubbles: true })); };
    const move = d => {
      if (list.hidden) return draw();
      const n = list.children.length; active = (active + d + n) % n;
      [...list.children].forEach((li, i) => li.setAttribute('aria-selected', i === active));
      input.setAttribute('aria-activedescendant', list.children[active].id); list.children[active].scrollIntoView({ block: 'nearest' });
    };
    input.addEventListener('input', () => { draw(); clearTimeout(timer); if (more) timer = setTimeout(look, 250); }); input.addEventListener('focus', () => quiet || draw()); input.addEventListener('blur', () => open(false));
    input.addEventListener('keydown', e => {
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') { e.preventDefault(); move(e.key === 'ArrowDown' ? 1 : -1); }
      else if (e.key === 'Enter' && (input.value || !list.hidden)) { // without a word typed or a choice made, Enter only closes the list
        const li = list.hidden ? null : list.children[active] || (input.value.trim() && list.children[0]);
        e.preventDefault(); li ? pick(li.option) : open(false);
      }
      else if (e.key === 'Escape' && !list.hidden) { e.stopPropagation(); open(false); }
      else if (e.key === 'Backspace' && !input.value && sel.selectedOptions.length) { [...sel.selectedOptions].at(-1).selected = false; drawChips(); draw(); }
    });
    drawChips();
  }
});

// <joined-names of="first_name last_name"> and <snake-case of="id"> around a field: what is typed in the other fields is written
// into this one, joined or in lower case with _ between the words, until somebody types here. Without JS the server does so
// for a field that is left empty.
const follow = (name, made) => customElements.define(name, class extends HTMLElement {
  connectedCallback() {
    const from = this.getAttribute('of').split(' ').map(id => document.getElementById(id)), to = this.querySelector('input');
    let ours = !to.value || to.value === made(from);
    from.forEach(i => i.addEventListener('input', () => { if (ours) to.value = made(from); }));
    to.addEventListener('input', () => { ours = !to.value; });
  }
});
follow('joined-names', from => from.map(i => i.value.trim()).filter(Boolean).join(' '));
follow('snake-case', from => from[0].value.normalize('NFC').toLowerCase().split(/[^\p{L}\p{N}\p{M}]+/u).filter(Boolean).join('_'));

// <uri-check action="…"> around the addresses of a client: says at once what is wrong with those that are typed, and whether
// people would be sent to the one in [name=try]. Without JS saving says it, and the button beside the field.
customElements.define('uri-check', class extends HTMLElement {
  connectedCallback() {
    const form = this.closest('form'), asked = this.querySelector('[name=try]'), said = [...this.querySelectorAll('.tried>.note')];
    let timer, turn = 0;
    const wrong = (input, text) => {
      const id = input.id + '-e';
      document.getElementById(id)?.remove();
      input.toggleAttribute('aria-invalid', false); input.removeAttribute('aria-describedby');
      if (!text) return;
      const p = document.createElement('p');
      p.className = 'error'; p.id = id; p.textContent = text;
      input.setAttribute('aria-invalid', 'true'); input.setAttribute('aria-describedby', id);
      input.closest('li').append(p);
    };
    const check = async () => {
      const mine = ++turn, data = new URLSearchParams([['try', asked.value]]);
      for (const [k, v] of new FormData(form)) if (/^(redirect_uris|post_logout_uris)|^public$/.test(k)) data.append(k, String(v));
      const rows = [...this.querySelectorAll('.pairs input')], typed = rows.map(i => i.value.trim());
      const res = await fetch(this.getAttribute('action'), { method: 'POST', body: data }).catch(() => null);
      if (!res?.ok || mine !== turn) return;
      const answer = await res.json(), n = {};
      rows.forEach((i, at) => {
        if (document.activeElement === i && !i.hasAttribute('aria-invalid') && !typed[at]) return;
        const row = typed[at] ? n[i.name] = (n[i.name] ?? -1) + 1 : -1;
        wrong(i, answer.wrong[`${i.name}[${row}]`]);
      });
      said.forEach((note, bad) => { note.hidden = !answer.text || answer.good === !!bad; note.querySelector('[data-text]').textContent = answer.text; });
    };
    const soon = () => { clearTimeout(timer); timer = setTimeout(check, 400); };
    this.addEventListener('input', soon); this.addEventListener('change', soon);
  }
});
