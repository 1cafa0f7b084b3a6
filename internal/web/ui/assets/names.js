// @ts-check
// <joined-names of="first_name last_name"> around a field: what is typed in the other fields is joined in this one, until
// somebody types here. Without JS the server does so for a field that is left empty.
customElements.define('joined-names', class extends HTMLElement {
  connectedCallback() {
    const from = this.getAttribute('of').split(' ').map(id => document.getElementById(id)), to = this.querySelector('input');
    const joined = () => from.map(i => i.value.trim()).filter(Boolean).join(' ');
    let ours = !to.value || to.value === joined();
    from.forEach(i => i.addEventListener('input', () => { if (ours) to.value = joined(); }));
    to.addEventListener('input', () => { ours = !to.value; });
  }
});
