// @ts-check
// Pages of an account. Passkey managers hear which passkeys count and what the account is called; where a browser cannot
// tell them, or does not want to, nothing happens.
const K = /** @type {any} */ (window.PublicKeyCredential);
const tell = async (method, what) => {
  try { await K?.[method]?.(what); } catch { /* a courtesy: nobody misses it */ }
};

// <passkey-signals data-rp data-user data-name data-display data-accepted>: ids of passkeys, between spaces. Managers hide what
// is not in the list, so an empty one is never told, and neither is one of a page that comes back from the history.
customElements.define('passkey-signals', class extends HTMLElement {
  connectedCallback() {
    const d = this.dataset, of = { rpId: d.rp, userId: d.user }, ids = (d.accepted || '').split(' ').filter(Boolean);
    if (/** @type {any} */ (performance.getEntriesByType('navigation')[0])?.type === 'back_forward') return;
    if (ids.length) tell('signalAllAcceptedCredentials', { ...of, allAcceptedCredentialIds: ids });
    tell('signalCurrentUserDetails', { ...of, name: d.name, displayName: d.display });
  }
});

// <passkey-offer hidden>: a passkey on this device, shown where the device can keep one.
customElements.define('passkey-offer', class extends HTMLElement {
  async connectedCallback() {
    try { this.hidden = !await K.isUserVerifyingPlatformAuthenticatorAvailable(); } catch { /* stays hidden */ }
  }
});
