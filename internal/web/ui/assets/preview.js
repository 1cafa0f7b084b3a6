// <brand-preview>: shows the picked accent in the preview. Saving is a form like any other.
customElements.define('brand-preview', class extends HTMLElement {
  connectedCallback() {
    const box = this.querySelector('.preview'), own = this.querySelector('#accentColor'), mine = this.querySelector('[data-own]');
    const show = () => {
      const picked = this.querySelector('[name=accent]:checked');
      const colour = own.value.trim();
      if (colour && CSS.supports('color', colour)) mine.style.setProperty('--accent', colour); // a strict style-src allows it
      else mine.style.removeProperty('--accent');
      box.dataset.accent = picked ? picked.value : '';
      if (picked && picked.value === 'own' && colour && CSS.supports('color', colour)) box.style.setProperty('--accent', colour);
      else box.style.removeProperty('--accent');
    };
    this.addEventListener('change', show);
    own.addEventListener('input', () => { if (own.value) mine.querySelector('input').checked = true; show(); });
    show();
  }
});
