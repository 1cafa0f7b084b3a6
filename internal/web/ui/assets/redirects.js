// What becomes of redirect URIs while they are typed: the server says it by the rules of the authorization endpoint.
// Without JS the button below the list asks the same.
customElements.define('uri-check', class extends HTMLElement {
  connectedCallback() {
    const list = document.querySelector('#redirect_uris'), field = this.querySelector('input'), told = this.querySelector('output');
    if (!list) return;
    let timer, turn = 0;
    const rows = () => [...list.querySelectorAll('li')];
    const ask = async () => {
      const mine = ++turn, at = rows();
      const body = {
        public: document.querySelector('[name=public][value="1"]')?.checked ?? false, try: field.value,
        uris: at.map(li => ({ uri: li.querySelector('input').value.trim(), pattern: li.querySelector('select').value === 'pattern' })),
      };
      let said;
      try {
        const answer = await fetch(this.getAttribute('to'), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
        if (!answer.ok) return;
        said = await answer.json();
      } catch { return; } // nobody answers: the form will say it
      if (mine !== turn) return;
      at.forEach((li, i) => this.mark(li, said.errors[i]));
      told.textContent = field.value.trim() ? said.error || this.getAttribute('good').replace('{uri}', said.matched) : '';
      told.className = said.error ? 'error' : 'hint';
    };
    const soon = () => { clearTimeout(timer); timer = setTimeout(ask, 300); };
    for (const on of ['input', 'change', 'click']) list.closest('section').addEventListener(on, e => (on !== 'click' || e.target.closest('[data-remove]')) && soon());
  }

  // mark says below a row what is wrong with it.
  mark(li, text) {
    const input = li.querySelector('input'), id = `${input.id}-e`;
    let p = li.querySelector('.error');
    input.toggleAttribute('aria-invalid', Boolean(text));
    if (!text) { p?.remove(); input.removeAttribute('aria-describedby'); return; }
    if (!p) { p = document.createElement('p'); p.className = 'error'; p.append(document.createElement('span')); li.append(p); }
    p.id = id; input.setAttribute('aria-invalid', 'true'); input.setAttribute('aria-describedby', id);
    const span = p.querySelector('span');
    if (span.textContent !== text) span.textContent = text;
  }
});
