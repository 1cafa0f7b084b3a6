// @ts-check
// The overview compares the address of the browser with APP_URL, which the server can only guess at.
const ours = document.querySelector('[data-origin]'), elsewhere = document.querySelector('[data-elsewhere]');
if (ours && elsewhere && ours.dataset.origin !== location.origin) {
  ours.hidden = true;
  elsewhere.hidden = false;
  document.querySelectorAll('h1 [data-well]').forEach(s => { s.hidden = true; });
  document.querySelectorAll('h1 [data-elsewhere-title]').forEach(s => { s.hidden = false; });
}
