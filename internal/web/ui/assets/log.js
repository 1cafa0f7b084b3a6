// @ts-check
// Names that are offered while somebody types, and printing of the log.

// <name-finder data-source="/…?kind=user" data-into="person"> around a label and a text field of a form. Whatever is picked is sent
// at once, under the name in data-into. Without that the username of whoever is picked is what was typed, and data-send sends it at
// once. Without a pick, or without this module, the text is sent and the server finds out whom it means.
customElements.define('name-finder', class extends HTMLElement {
  connectedCallback() {
    const input = this.querySelector('input'), form = input.form, list = document.createElement('ul');
    list.id = input.id + '-names'; list.className = 'combo-list'; list.hidden = true;
    list.setAttribute('role', 'listbox'); list.setAttribute('aria-label', this.querySelector('label').textContent);
    for (const [k, v] of Object.entries({ role: 'combobox', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': list.id })) input.setAttribute(k, v);
    const box = document.createElement('div'); box.className = 'combo-field'; input.before(box); box.append(input, list);
    if (this.dataset.hint) input.placeholder = this.dataset.hint;
    let active = -1, timer = 0, asking = new AbortController();
    const show = on => {
      list.hidden = !on; input.setAttribute('aria-expanded', String(on)); active = -1; input.removeAttribute('aria-activedescendant');
    };
    const stop = () => { clearTimeout(timer); asking.abort(); }; // whoever chooses chooses from what they see
    const pick = ({ id, username }) => {
      stop();
      if (!this.dataset.into) { input.value = username; show(false); if ('send' in this.dataset) form.requestSubmit(); return; }
      let field = form.querySelector(`input[type=hidden][name="${this.dataset.into}"]`);
      if (!field) { field = document.createElement('input'); field.type = 'hidden'; field.name = this.dataset.into; form.append(field); }
      field.value = id; input.value = ''; show(false); form.requestSubmit();
    };
    const offer = names => {
      list.replaceChildren(...names.map((n, i) => {
        const li = document.createElement('li'), sub = document.createElement('span');
        li.id = `${list.id}-${i}`; li.setAttribute('role', 'option'); li.setAttribute('aria-selected', 'false'); li.named = n;
        sub.className = 'sub mono'; sub.textContent = n.username || n.id.slice(0, 8);
        li.append(n.name + ' ', sub);
        li.addEventListener('pointerdown', e => { e.preventDefault(); pick(n); });
        return li;
      }));
      show(names.length > 0 && document.activeElement === input);
    };
    const ask = async () => {
      asking.abort(); const mine = asking = new AbortController();
      const q = input.value.trim();
      if (!q) return show(false);
      try {
        const res = await fetch(`${this.dataset.source}&q=${encodeURIComponent(q)}`, { signal: mine.signal, headers: { Accept: 'application/json' } });
        const names = res.ok && (await res.json()).names;
        if (names && !mine.signal.aborted) offer(names);
      } catch (e) { if (e.name !== 'AbortError') dispatchEvent(new Event('server-gone')); }
    };
    input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(ask, 150); });
    input.addEventListener('blur', () => show(false));
    input.addEventListener('keydown', e => {
      const n = list.children.length;
      if ((e.key === 'ArrowDown' || e.key === 'ArrowUp') && n) {
        e.preventDefault(); stop();
        if (list.hidden) show(true);
        active = (active + (e.key === 'ArrowDown' ? 1 : -1) + (active < 0 && e.key === 'ArrowUp' ? 1 : 0) + n) % n;
        [...list.children].forEach((li, i) => li.setAttribute('aria-selected', String(i === active)));
        input.setAttribute('aria-activedescendant', list.children[active].id); list.children[active].scrollIntoView({ block: 'nearest' });
      } else if (e.key === 'Enter' && !list.hidden && active >= 0) { e.preventDefault(); pick(list.children[active].named); }
      else if (e.key === 'Escape' && !list.hidden) { e.preventDefault(); e.stopPropagation(); stop(); show(false); }
    });
  }
});

// <button data-print hidden>: there without scripts would be nothing behind it.
document.querySelectorAll('button[data-print]').forEach(b => { b.hidden = false; b.addEventListener('click', () => print()); });
