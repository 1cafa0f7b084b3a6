// @ts-check
// <snake-case of="id"> around a field: what is typed in the other field is written into this one in lower case with _ between
// the words, until somebody types here. Without JS the server does so for a field that is left empty.
customElements.define('snake-case', class extends HTMLElement {
  connectedCallback() {
    const from = document.getElementById(this.getAttribute('of')), to = this.querySelector('input');
    const snake = text => text.normalize('NFC').toLowerCase().split(/[^\p{L}\p{N}\p{M}]+/u).filter(Boolean).join('_');
    let ours = !to.value || to.value === snake(from.value);
    from.addEventListener('input', () => { if (ours) to.value = snake(from.value); });
    to.addEventListener('input', () => { ours = !to.value; });
  }
});
