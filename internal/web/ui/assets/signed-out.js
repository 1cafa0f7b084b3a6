// @ts-check
// Applications are signed out of by frames. A browser goes on by itself once all of them have loaded; this says meanwhile which
// have, and does not wait for one that hangs.

const list = document.querySelector('[data-left]');
const patience = 5000;

/** @param {Element} frame @param {string} mark */
const say = (frame, mark) => {
  const row = frame.closest('li'), shown = row && row.querySelector(mark);
  if (!row || !shown || row.dataset.said) return;
  row.dataset.said = mark;
  row.querySelectorAll('.sub').forEach(b => { b.toggleAttribute('hidden', b !== shown); });
};

if (list) {
  const frames = [...list.querySelectorAll('iframe')];
  let left = frames.length;
  frames.forEach(f => f.addEventListener('load', () => { left--; say(f, '[data-done]'); }));
  const loaded = () => frames.forEach(f => say(f, '[data-done]'));
  if (document.readyState === 'complete') loaded(); else addEventListener('load', loaded);
  setTimeout(() => {
    frames.forEach(f => say(f, '[data-late]'));
    const next = list.getAttribute('data-left');
    if (next) location.replace(next);
  }, patience);
}
