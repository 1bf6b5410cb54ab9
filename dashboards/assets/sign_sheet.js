// The other ways to sign a form: a passkey over the statement, or the company account in its own window.
(() => {
  const at = id => document.getElementById(id);
  const { pending, challenge, rp, keys } = at('sign-ways').dataset, form = at('sign-ways').closest('form');
  const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
  const text64 = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const say = text => { at('sign-said').textContent = text; };
  const send = given => { for (const name in given) form.elements[name].value = given[name]; form.submit(); };
  const key = at('sign-passkey'), account = at('sign-provider');
  if (key) {
    key.hidden = !(window.PublicKeyCredential && location.hostname === rp);
    key.addEventListener('click', async () => {
      say(''); key.disabled = true;
      try {
        const got = await navigator.credentials.get({ publicKey: {
          challenge: Uint8Array.from(challenge.match(/../g), hex => parseInt(hex, 16)), rpId: rp, userVerification: 'required', timeout: 60000,
          allowCredentials: keys.split(' ').map(id => ({ type: 'public-key', id: bytes(id) })) } });
        const it = got.response;
        send({ credential: text64(got.rawId), authenticator_data: text64(it.authenticatorData), client_data: text64(it.clientDataJSON), signature: text64(it.signature) });
      } catch (fault) { key.disabled = false; say('Passkey: the device gave no answer. Try again, or use user id and secret.'); }
    });
  }
  if (account) {
    const channel = new BroadcastChannel('batchwright-provider');
    account.addEventListener('click', () => {
      const opened = window.open(`/login/provider/sign?pending=${encodeURIComponent(pending)}`, 'batchwright-provider', 'popup,width=560,height=720');
      say(opened ? 'Sign in with your company account in the window that has opened. Nothing is signed before.' : 'Company account: the browser opened no window. Allow windows of this address, or use user id and secret.');
    });
    channel.addEventListener('message', ({ data }) => {
      if (!data || data.pending !== pending) return;
      if (data.answer) send({ provider: data.answer }); else say(data.says);
    });
  }
})();
