// @ts-check
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
    this.querySelectorAll('[data-add],[data-remove]').forEach(b => { b.hidden = false; });
    this.addEventListener('click', e => {
      if (e.target.closest('[data-add]')) {
        const last = list.lastElementChild;
        if ([...last.querySelectorAll(typed)].every(i => !i.value)) return last.querySelector('input').focus();
        const li = last.cloneNode(true);
        empty(li); list.append(li); count(); li.querySelector('input').focus();
      } else if (e.target.closest('[data-remove]')) {
        const li = e.target.closest('li'), to = li.nextElementSibling || li.previousElementSibling;
        list.children.length > 1 ? li.remove() : empty(li);
        count(); (to ? to.querySelector('input') : add).focus();
      }
    });
  }
});
