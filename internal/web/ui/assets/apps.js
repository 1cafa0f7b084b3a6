// @ts-check
// My apps: the greeting of the hour, and tiles that are filtered as one types.

// Of the greetings, the last one whose hour has come is shown instead of the welcome.
const h = new Date().getHours(), fit = [...document.querySelectorAll('h1 [data-from]')].filter(g => Number(g.dataset.from) <= h).pop();
if (fit) {
  document.querySelectorAll('h1 > span').forEach(s => { s.hidden = s !== fit; });
}

// <input data-tiles>: all tiles are on this page, so nothing is asked of the server. Enter opens what is left when it is one.
const q = document.querySelector('input[data-tiles]');
if (q) {
  const tiles = [...document.querySelectorAll('.tiles > li')], none = document.querySelector('[data-none]'), others = document.querySelector('[data-others]');
  q.form.querySelector('[data-plain]').hidden = true;
  const set = () => {
    const v = q.value.trim().toLocaleLowerCase();
    tiles.forEach(t => { t.hidden = !t.dataset.name.toLocaleLowerCase().includes(v); });
    none.hidden = tiles.some(t => !t.hidden);
    if (others) others.hidden = ![...others.querySelectorAll('li')].some(t => !t.hidden);
  };
  q.addEventListener('input', set);
  q.form.addEventListener('submit', e => {
    e.preventDefault();
    const left = tiles.filter(t => !t.hidden);
    if (left.length === 1) left[0].querySelector('a.tile')?.click();
  });
  set();
}
