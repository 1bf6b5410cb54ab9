// Registering and revoking one's own passkeys; every act is a command of the REST interface.
(() => {
  const at = id => document.getElementById(id);
  const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
  const text64 = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const id = () => Date.now().toString(16).padStart(12, '0') + Array.from(crypto.getRandomValues(new Uint8Array(10)), b => b.toString(16).padStart(2, '0')).join('');
  const say = text => { at('passkey-answer').textContent = text; };
  const post = async (path, body, key) => {
    const answer = await fetch(`/api/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': key }, body: JSON.stringify(body) });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    return said;
  };
  // One form at a time; a fault is said, and the form can be sent again.
  const on = (form, act) => form.addEventListener('submit', async event => {
    event.preventDefault();
    const button = form.querySelector('button');
    button.disabled = true; say('');
    try { await act(form); } catch (fault) { say(fault.message); } finally { button.disabled = false; }
  });
  for (const form of document.querySelectorAll('form.revoke')) on(form, async () => {
    await post('commands/person.revoke-passkey', { passkey: form.dataset.passkey, why: form.elements.why.value }, form.dataset.press);
    location.reload();
  });
  const box = at('passkey-new');
  if (!box) return;
  const fits = location.hostname === box.dataset.rp && window.PublicKeyCredential;
  box.hidden = !fits; at('passkey-elsewhere').hidden = Boolean(fits);
  let act = null;
  on(at('passkey-make'), async () => {
    const { publicKey, seen } = await (await fetch('/account/passkeys/options')).json();
    const asked = { ...publicKey, challenge: bytes(publicKey.challenge), user: { ...publicKey.user, id: bytes(publicKey.user.id) }, excludeCredentials: publicKey.excludeCredentials.map(one => ({ ...one, id: bytes(one.id) })) };
    let made;
    try { made = await navigator.credentials.create({ publicKey: asked }); } catch (fault) { throw new Error('The device made no key. Try again, or use another device.'); }
    const command = { person: box.dataset.person, label: at('passkey-label').value.trim(), client_data: text64(made.response.clientDataJSON), attestation: text64(made.response.attestationObject), seen };
    const key = id();
    const shown = await post('signatures/prepare', { type: 'person.register-passkey', ...command, signature: { user: box.dataset.person } }, key);
    act = { command, key, pending: shown.pending };
    at('passkey-words').textContent = shown.manifest.words;
    at('passkey-meaning').textContent = shown.manifest.meaning;
    at('passkey-when').textContent = `${shown.manifest.name}, ${shown.manifest.at} (UTC)`;
    at('passkey-make').hidden = true; at('passkey-sign').hidden = false; at('passkey-secret').focus();
  });
  on(at('passkey-sign'), async () => {
    const secret = at('passkey-secret').value;
    at('passkey-secret').value = '';
    await post('commands/person.register-passkey', { ...act.command, signature: { user: box.dataset.person, secret, pending: act.pending } }, act.key);
    location.reload();
  });
})();
