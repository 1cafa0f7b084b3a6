// @ts-check
// A form with data-begin and data-finish is a passkey ceremony: begin gives the options, the browser asks the person,
// finish takes the answer and says where to go. With data-conditional the field offers passkeys by itself. The value of
// the button says where the passkey lies: on this device, or on another one.
const forms = document.querySelectorAll('form[data-begin]');
const b64 = b => btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const bytes = s => Uint8Array.from(atob(s.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
const list = l => (l || []).map(c => ({ ...c, id: bytes(c.id) }));

/** Options as navigator.credentials wants them, also where the browser cannot parse JSON itself. */
function parse(kind, o) {
  const K = window.PublicKeyCredential, f = kind === 'get' ? 'parseRequestOptionsFromJSON' : 'parseCreationOptionsFromJSON';
  if (K[f]) return K[f](o);
  const p = { ...o, challenge: bytes(o.challenge) };
  if (kind === 'get') return { ...p, allowCredentials: list(o.allowCredentials) };
  return { ...p, user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: list(o.excludeCredentials) };
}

/** The answer as JSON. Some passkey managers hand out objects without a working toJSON. */
function plain(c) {
  try { return c.toJSON(); } catch { /* by hand */ }
  const r = c.response, out = { clientDataJSON: b64(r.clientDataJSON) };
  for (const k of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) if (r[k]) out[k] = b64(r[k]);
  if (r.getTransports) out.transports = r.getTransports();
  return { id: c.id, rawId: b64(c.rawId), type: c.type, authenticatorAttachment: c.authenticatorAttachment || undefined,
    clientExtensionResults: c.getClientExtensionResults(), response: out };
}

async function post(path, body) {
  let res;
  try {
    res = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  } catch { throw { name: 'network' }; }
  const out = await res.json().catch(() => ({}));
  if (res.status > 501 && !out.code) throw { name: 'network' }; // what stands in front says that nobody is there
  if (out.code === 'not_signed_in') location.assign(`/login?ended&redirect=${encodeURIComponent(location.pathname + location.search)}`);
  if (!res.ok) throw { answer: out, code: out.code };
  return out;
}

for (const form of forms) {
  const d = form.dataset, words = JSON.parse(d.words || '{}'), buttons = [...form.elements].filter(e => e.type === 'submit');
  const problem = document.querySelector('[data-problem]'), advice = document.querySelector('[data-advice]'), status = document.querySelector('[data-status]');
  const tell = text => { if (status) status.textContent = text || ''; };
  const busy = on => { buttons.forEach(b => b.disabled = on); form.setAttribute('aria-busy', on); if (!on) tell(''); };
  /** @type {AbortController|undefined} */ let waiting;
  let timer = 0;

  const clear = () => {
    problem.hidden = true;
    form.querySelectorAll('[aria-invalid]').forEach(i => i.removeAttribute('aria-invalid'));
    form.querySelectorAll('p.error').forEach(e => e.remove());
  };
  const say = (title, text, field) => {
    problem.querySelector('[data-problem-title]').textContent = title || '';
    problem.querySelector('[data-problem-text]').textContent = text || '';
    problem.hidden = false;
    const input = field && (form.elements[field] || form.elements[field.replace(/_(.)/g, (_, c) => c.toUpperCase())]);
    if (input) {
      const p = document.createElement('p');
      p.className = 'error'; p.id = field + '-e'; p.textContent = text;
      input.setAttribute('aria-invalid', 'true'); input.setAttribute('aria-describedby', p.id);
      input.after(p); input.focus();
    } else problem.focus();
    if (d.again) buttons[0].querySelector('span').textContent = d.again;
  };
  const fault = e => {
    if (e.answer?.code) return say(e.answer.title, [e.answer.error, e.answer.cure].filter(Boolean).join(' '), e.answer.details?.fields?.[0]?.field);
    const w = words[e.name] || words.other || ['', String(e)];
    say(w[0], w[1]);
    if (e.name === 'NotAllowedError') advise();
  };
  /** A device that keeps no passkeys itself says what to use instead. */
  async function advise() {
    if (!advice || await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable?.().catch(() => true) !== false) return;
    advice.hidden = false;
    if (d.kind === 'create' && buttons[1]) { buttons[0].classList.remove('primary'); buttons[1].classList.add('primary'); }
  }
  const start = hint => {
    const v = Object.fromEntries(new FormData(form));
    return post(d.begin, { redirect: d.redirect, hint, token: v.token, profile: d.profile ? v : undefined });
  };
  const finish = async (c, begun) => {
    tell(d.done);
    try {
      location.assign((await post(d.finish, { id: begun.id, answer: plain(c), redirect: d.redirect })).next);
    } catch (e) {
      // The passkey manager hears that we do not know what it offered: the id is the one it gave us, and nothing more.
      if (e.code === 'passkey_unknown') try { PublicKeyCredential.signalUnknownCredential?.({ rpId: begun.options.rpId, credentialId: c.id })?.catch(() => {}); } catch { /* a courtesy */ }
      throw e;
    }
  };

  /** The field offers passkeys until somebody asks for the dialog; the challenge is renewed before it runs out. */
  let refused = 0;
  async function offer() {
    const control = waiting = new AbortController(), over = () => control.signal.aborted;
    try {
      if (!await PublicKeyCredential.isConditionalMediationAvailable?.()) return;
      const begun = await start('');
      if (over()) return;
      timer = setTimeout(() => { control.abort(); offer(); }, Math.max(30, begun.expiresIn - 30) * 1000);
      const c = await navigator.credentials.get({ mediation: 'conditional', signal: control.signal, publicKey: parse('get', begun.options) });
      if (over()) return;
      clearTimeout(timer); busy(true);
      await finish(c, begun);
    } catch (e) {
      if (over() || !e?.answer) return; // what nobody asked for fails in silence, an answer that was refused does not
      busy(false); fault(e);
      if (++refused < 3) offer();
    }
  }

  form.addEventListener('submit', async ev => {
    ev.preventDefault();
    clear(); clearTimeout(timer); waiting?.abort(); busy(true);
    try {
      const begun = await start(ev.submitter?.value || ''), publicKey = parse(d.kind, begun.options);
      tell(d.waiting);
      const c = d.kind === 'get' ? await navigator.credentials.get({ publicKey }) : await navigator.credentials.create({ publicKey });
      await finish(c, begun);
    } catch (e) {
      busy(false); fault(e);
      if (d.conditional) offer();
    }
  });
  addEventListener('pageshow', e => { if (e.persisted) busy(false); });

  if (!window.PublicKeyCredential || !isSecureContext) {
    const w = words[isSecureContext ? 'NotSupportedError' : 'SecurityError'];
    say(w[0], w[1]); busy(true); document.body.focus();
  } else {
    if (d.conditional) offer();
    if (d.kind === 'create') advise();
    document.documentElement.dataset.ready = '1';
  }
  const address = document.querySelector('[data-public]'); // set-up: is this the address that passkeys will be bound to?
  if (address && address.dataset.public !== location.origin) { address.hidden = true; document.querySelector('[data-elsewhere]').hidden = false; busy(true); }
}
