// Sending forms: the second part of house.js, which see.

// The server may be gone, or may know no more who this is. A bar says the first until it answers again; modules that hear nothing say "server-gone".
const alive = () => fetch('/login/session', { method: 'HEAD', cache: 'no-store', signal: AbortSignal.timeout(10000) }).then(r => r.status > 501 ? 0 : r.status, () => 0);
const bar = document.querySelector('.offline');
async function gone() {
  if (!bar.hidden) return;
  bar.hidden = false;
  do await new Promise(r => setTimeout(r, 2000)); while (!await alive());
  bar.hidden = true; toast(bar.dataset.back);
}
for (const e of ['offline', 'server-gone']) addEventListener(e, gone);

// So a form is sent when the server says that it is there. kept.js keeps what was typed until a page inside answers, and brings it back.
let keeping, asking = new WeakSet(), sure = new WeakSet();
const keeper = () => keeping ??= import('./kept.js').catch(() => { keeping = null; });
const posts = f => f?.getAttribute('method') === 'post' && [...f.elements].some(i => i.type !== 'hidden' && i.type !== 'submit');
document.addEventListener('input', e => { const f = e.target.form; if (posts(f)) keeper().then(k => k?.typed(f)); });
document.addEventListener('submit', async e => {
  const f = e.target;
  if (f.getAttribute('method') !== 'post' || e.defaultPrevented || sure.delete(f)) return;
  e.preventDefault(); e.stopImmediatePropagation();
  if (asking.has(f)) return;
  asking.add(f);
  const status = await alive(), k = posts(f) && await keeper();
  asking.delete(f);
  if (!status) return gone();
  if (f.getAttribute('action') === '/logout') (await keeper())?.drop();
  k && k.keep(f, status === 401);
  if (status === 401) return location.assign(`/login?ended&redirect=${encodeURIComponent(f.dataset.page || document.querySelector('main').dataset.page)}`);
  sure.add(f); f.requestSubmit(e.submitter);
});
try { if (sessionStorage.getItem('kept')) keeper().then(k => k?.back()); } catch { /* nothing is kept where nothing may be */ }
