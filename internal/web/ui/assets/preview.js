// @ts-check
// <brand-preview>: shows on light and dark ground what is picked, typed or chosen, before it is saved, and how well the text on
// a button can be read. Saving is forms like any others. [data-colour] is the field of a colour, [data-own] the swatch for it;
// #appName or #name, #greeting and the files of pictures are taken from wherever they are on the page.
const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });

// light is the relative luminance of a colour as it is drawn (WCAG 2.2).
const light = css => {
  pen.fillStyle = css; pen.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const contrast = of => {
  const s = getComputedStyle(of), a = light(s.backgroundColor), b = light(s.color);
  return ((Math.max(a, b) + .05) / (Math.min(a, b) + .05)).toFixed(1);
};

customElements.define('brand-preview', class extends HTMLElement {
  connectedCallback() {
    const boxes = [...this.querySelectorAll('.preview')], own = this.querySelector('[data-colour]'), mine = this.querySelector('[data-own]');
    const said = this.querySelector('[data-contrast]'), first = boxes[0].dataset.accent;
    const each = (what, fn) => boxes.forEach(b => fn(b.querySelector(what), b));
    const show = () => {
      const picked = this.querySelector('.swatches :checked'), colour = own.value.trim();
      const good = colour && CSS.supports('color', colour), typed = good && (!picked || picked.value === 'own');
      if (mine) good ? mine.style.setProperty('--accent', colour) : mine.style.removeProperty('--accent'); // a strict style-src allows it
      for (const b of boxes) {
        b.dataset.accent = picked ? picked.value : first;
        typed ? b.style.setProperty('--accent', colour) : b.style.removeProperty('--accent');
      }
      const [l, d] = boxes.map(b => contrast(b.querySelector('.btn')));
      said.textContent = said.dataset.words.replace('{light}', l).replace('{dark}', d);
      said.hidden = false;
    };
    this.addEventListener('change', e => { // what was typed counts on the server: it makes way for a swatch, and comes back
      const at = e.target.closest('.swatches input');
      if (at && at.value !== 'own') { own.dataset.kept = own.value || own.dataset.kept || ''; own.value = ''; }
      else if (at) own.value ||= own.dataset.kept || '';
      show();
    });
    own.addEventListener('input', () => { if (mine && own.value) mine.querySelector('input').checked = true; show(); });
    const follow = (id, what) => document.getElementById(id)?.addEventListener('input', e => each(what, at => {
      const text = e.target.value.trim();
      at.textContent = text || !at.dataset.usual ? (at.dataset.words || '{client}').replace('{client}', text) : at.dataset.usual;
    }));
    follow('appName', '[data-title]'); follow('name', '[data-title]'); follow('greeting', '[data-greeting]');
    const draw = (id, what, only) => document.getElementById(id)?.addEventListener('change', e => {
      const file = e.target.files[0], reader = new FileReader();
      if (!file) return;
      reader.onload = () => each(what, (at, b) => { if (!only || b.dataset.scheme === only) { at.src = reader.result; at.hidden = false; } });
      reader.readAsDataURL(file);
    });
    draw('logo-light', '[data-logo]', 'light'); draw('logo-dark', '[data-logo]', 'dark'); draw('background', '[data-photo]');
    draw('logo', '[data-logo]', 'light'); draw('dark_logo', '[data-logo]', 'dark');
    show();
  }
});
