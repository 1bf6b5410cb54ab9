export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style');
  css.textContent = `
    dialog { font-family: var(--bw-font); color: var(--bw-text); background: var(--bw-surface); border: 2px solid var(--bw-control); border-radius: 12px; padding: 0; width: min(1040px, calc(100vw - 32px)); max-height: calc(100vh - 24px); overflow: auto; box-sizing: border-box; scroll-padding: 12px 0 var(--foot, 116px); }
    dialog::backdrop { background: rgb(0 0 0 / .6); }
    form { padding: 20px 28px 0; display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 12px 32px; align-items: start; }
    .left { display: grid; gap: 12px; min-width: 0; } h2, .row { grid-column: 1 / -1; }
    .pad { display: grid; grid-template-columns: repeat(3, 88px); gap: 16px; position: sticky; top: 20px; } .pad button { min-width: 0; padding: 0; font-size: 28px; font-variant-numeric: tabular-nums; touch-action: manipulation; user-select: none; }
    .pad button:active { background: var(--bw-raised); }
    @media (max-width: 900px) { form { grid-template-columns: minmax(0, 1fr); } .pad { justify-content: start; position: static; } }
    h2 { font-size: 26px; margin: 0; } h3 { font-size: 17px; margin: 0 0 4px; }
    .what { border: 1px solid var(--bw-line); border-radius: 8px; padding: 10px 16px; }
    dl { margin: 0; display: grid; grid-template-columns: minmax(120px, auto) 1fr; gap: 3px 18px; font-size: 17px; } dt { color: var(--bw-muted); } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    label { display: block; font-size: 18px; font-weight: 600; margin-bottom: 4px; }
    input { width: 100%; box-sizing: border-box; min-height: 64px; font: inherit; font-size: 26px; padding: 0 14px; border: 3px solid var(--bw-control); border-radius: 8px; background: var(--bw-page); color: var(--bw-text); }
    input:focus { border-color: var(--bw-primary); outline: 3px solid var(--bw-primary); outline-offset: 1px; }
    input, select { scroll-margin-top: 44px; }
    select { width: 100%; box-sizing: border-box; min-height: 56px; font: inherit; font-size: 19px; padding: 0 10px; border: 3px solid var(--bw-control); border-radius: 8px; background: var(--bw-page); color: var(--bw-text); }
    select:focus { border-color: var(--bw-primary); outline: 3px solid var(--bw-primary); outline-offset: 1px; }
    #sign-comment { min-height: 52px; font-size: 19px; }
    .states { border-left: 6px solid var(--bw-primary); background: var(--bw-raised); border-radius: 8px; padding: 10px 16px; display: grid; gap: 6px; }
    .states p { margin: 0; font-size: 18px; overflow-wrap: anywhere; } .states .words { font-weight: 600; }
    .states .at { font-size: 16px; color: var(--bw-muted); font-variant-numeric: tabular-nums; } [hidden] { display: none !important; }
    .fields { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; } @media (max-width: 560px) { .fields { grid-template-columns: 1fr; } }
    .who { margin: 0; font-size: 18px; min-height: 26px; } .who:empty { display: none; } #sign-name:empty { display: block; } .who b { font-weight: 650; }
    .meaning { margin: 0; font-size: 20px; } .meaning b { font-weight: 700; }
    .no { background: var(--bw-alarm); color: var(--bw-on-alarm); border-radius: 8px; padding: 10px 16px; margin: 0; font-size: 18px; } .no:empty { display: none; }
    .row { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 16px 24px; position: sticky; bottom: 0; margin: 0 -28px; padding: 12px 28px 18px; background: var(--bw-surface); border-top: 1px solid var(--bw-line); }
    button { min-height: 72px; min-width: 150px; padding: 0 28px; font: inherit; font-size: 24px; font-weight: 600; border: 2px solid var(--bw-control); border-radius: 8px; background: var(--bw-surface); color: var(--bw-text); cursor: pointer; }
    button.sign { flex: 1; max-width: 340px; background: var(--bw-primary); border-color: var(--bw-primary); color: var(--bw-on-primary); }
    button:disabled { background: var(--bw-raised); border-color: var(--bw-control); color: var(--bw-muted); cursor: default; }
    button:focus-visible { outline: 4px solid var(--bw-primary); outline-offset: 3px; }
    @media (max-height: 620px) { form { gap: 8px 24px; padding-top: 12px; } h2 { font-size: 20px; } .row { gap: 8px 12px; padding: 8px 28px; } .row button { min-height: 48px; min-width: 110px; padding: 0 16px; font-size: 18px; } }`;
  const make = (tag, parent, attrs = {}, text = '') => { const e = document.createElement(tag); for (const k in attrs) e.setAttribute(k, attrs[k]); if (text) e.textContent = text; parent.append(e); return e; };
  const dialog = make('dialog', wrap, { 'aria-labelledby': 'sign-title', 'aria-describedby': 'sign-subject', 'data-testid': 'signature', closedby: 'none' });
  const form = make('form', dialog, { method: 'dialog', novalidate: '', autocomplete: 'off' });
  make('h2', form, { id: 'sign-title' }, 'Electronic signature');
  const left = make('div', form, { class: 'left' });
  const what = make('div', left, { class: 'what', 'data-testid': 'signature-what' }), subject = make('h3', what, { id: 'sign-subject' }), list = make('dl', what);
  const fields = make('div', left, { class: 'fields' });
  const one = make('div', fields), two = make('div', fields);
  make('label', one, { for: 'sign-who' }, 'Badge');
  const who = make('input', one, { id: 'sign-who', type: 'text', maxlength: 128, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none', inputmode: 'none', 'data-testid': 'signature-badge', 'aria-describedby': 'sign-name' });
  make('label', two, { for: 'sign-pin' }, 'PIN');
  const pin = make('input', two, { id: 'sign-pin', type: 'password', maxlength: 128, autocomplete: 'off', 'data-testid': 'signature-pin', 'aria-describedby': 'sign-no sign-words sign-states sign-when' });
  const name = make('p', left, { class: 'who', id: 'sign-name', role: 'status', 'data-testid': 'signature-name' });
  const pick = make('div', left);
  make('label', pick, { for: 'sign-meaning' }, 'Meaning');
  const meanings = make('select', pick, { id: 'sign-meaning', 'data-testid': 'signature-meanings' });
  const remark = make('div', left);
  const remarkLabel = make('label', remark, { for: 'sign-comment' });
  const comment = make('input', remark, { id: 'sign-comment', type: 'text', maxlength: 500, autocomplete: 'off', 'data-testid': 'signature-comment' });
  // Whoever does not see the statement hears it when it comes, and again at the field that signs it.
  const told = make('div', left, { 'aria-live': 'polite' });
  const states = make('div', told, { class: 'states', 'data-testid': 'signature-states' });
  const words = make('p', states, { class: 'words', id: 'sign-words', 'data-testid': 'signature-words' });
  const meaning = make('p', states, { class: 'meaning', id: 'sign-states', 'data-testid': 'signature-meaning' });
  const when = make('p', states, { class: 'at', id: 'sign-when', 'data-testid': 'signature-time' });
  const wait = make('p', left, { class: 'who', role: 'status', 'data-testid': 'signature-wait' });
  const no = make('p', left, { class: 'no', role: 'alert', id: 'sign-no', 'data-testid': 'signature-refusal' });
  const pad = make('div', form, { class: 'pad', role: 'group', 'aria-label': 'Digits of the PIN' });
  const row = make('div', form, { class: 'row' });
  const cancel = make('button', row, { type: 'button', 'data-testid': 'signature-cancel' }, 'Cancel');
  const key = make('button', row, { type: 'button', 'data-testid': 'signature-passkey' }, 'Sign with passkey');
  const vouch = make('button', row, { type: 'button', 'data-testid': 'signature-provider' }, 'Sign with company account');
  const other = make('button', row, { type: 'button', 'data-testid': 'signature-other' }, 'Another person');
  const sign = make('button', row, { type: 'submit', class: 'sign', 'data-testid': 'signature-sign' }, 'Sign');

  const shut = giveBack(dialog);
  let busy = false, sent = 0, timer = 0, shown = null, waits = false, asks = true;
  const asked = () => model.ask || {};
  const canKey = () => shown && shown.passkeys.length && window.PublicKeyCredential && location.hostname === shown.rp_id;
  const canVouch = () => shown && model.issuer && shown.issuers.includes(model.issuer);
  const ready = () => {
    sign.disabled = busy || waits || !shown || !pin.value;
    sign.textContent = busy ? 'Recording …' : 'Sign';
    key.hidden = !canKey(); key.disabled = busy || waits;
    vouch.hidden = !canVouch(); vouch.disabled = busy || waits;
    other.hidden = asks; other.disabled = busy;
    one.hidden = asks ? false : true; states.hidden = !shown;
  };
  // Nothing may be signed that is not on the screen: whatever changes is shown anew first.
  const unshow = () => { shown = null; wait.textContent = words.textContent = meaning.textContent = when.textContent = ''; clearTimeout(timer); ready(); };
  const askFor = () => {
    const who_ = asks ? who.value.trim() : '';
    if (asks && !who_) { unshow(); name.textContent = ''; return; }
    waits = true; unshow();
    model.send_msg({ kind: 'who', n: asked().n, who: who_, meaning: pick.hidden ? '' : meanings.value, comment: remark.hidden ? '' : comment.value.trim() });
  };
  const facts = lines => { list.replaceChildren(); for (const [k, v] of lines) { make('dt', list, {}, k); make('dd', list, {}, v); } };
  const offer = (offered, chosen) => {
    pick.hidden = offered.length < 2;
    if (pick.hidden) return;
    meanings.replaceChildren(); make('option', meanings, { value: '' }, 'Choose what you state');
    for (const one_ of offered) make('option', meanings, { value: one_ }, one_);
    meanings.value = chosen || '';
  };
  const COMMENT = { optional: 'Comment (optional)', required: 'Comment (needed)', required_when_not_compliant: 'Comment (needed where something was outside its rules)' };
  const draw = () => {
    const a = asked();
    clearTimeout(timer);
    if (!a.n) { if (dialog.open) shut.close(); who.value = pin.value = comment.value = ''; return; }
    subject.textContent = a.subject; facts(a.lines);
    unshow(); asks = a.asks; waits = false; busy = false;
    who.value = pin.value = comment.value = ''; name.textContent = no.textContent = ''; pick.hidden = remark.hidden = true; ready();
    const open = () => { if (!dialog.isConnected) return; if (!dialog.open) shut.show(); (asks ? who : pin).focus(); if (!asks) askFor(); };
    if (dialog.isConnected) open(); else setTimeout(open, 0);
  };
  const typed = () => { ready(); pin.scrollIntoView({ block: 'nearest' }); };
  // For screens without keys. The keys take no focus: whoever has keys has digits.
  for (const d of '789456123C0⌫') {
    const key = make('button', pad, { type: 'button', tabindex: -1, 'data-digit': d }, d);
    if (d === 'C') key.setAttribute('aria-label', 'Clear the PIN');
    if (d === '⌫') key.setAttribute('aria-label', 'Delete the last digit');
    key.addEventListener('pointerdown', e => e.preventDefault());
    key.addEventListener('mousedown', e => e.preventDefault());
    key.addEventListener('click', () => {
      if (busy) return;
      pin.value = d === 'C' ? '' : d === '⌫' ? pin.value.slice(0, -1) : pin.value + d;
      pin.focus(); typed();
    });
  }
  const answer = () => {
    const it = model.answer || {};
    if (it.n !== asked().n) return;
    waits = false;
    if (it.refusal !== undefined) no.textContent = it.refusal;
    if (it.asks) { asks = true; ready(); who.focus(); return; }
    if (it.meanings) { offer(it.meanings, ''); ready(); meanings.focus(); return; }
    if (it.lines) facts(it.lines);
    if (it.shown) {
      shown = it.shown;
      name.replaceChildren('Signs as: '); make('b', name, {}, shown.name);
      offer(shown.meanings, shown.meaning);
      remark.hidden = !shown.takes_comment; remarkLabel.textContent = COMMENT[shown.comment] || 'Comment';
      words.textContent = shown.words;
      meaning.replaceChildren('By signing I state: '); make('b', meaning, {}, shown.meaning);
      when.textContent = `${shown.when} · ${shown.record}`;
      timer = setTimeout(() => { if (!busy) askFor(); }, shown.life_ms);
    } else if (!busy && !shown) { remark.hidden = !/^Comment/.test(it.refusal || ''); if (!remark.hidden) remarkLabel.textContent = 'Comment (needed)'; }
    if (busy) { busy = false; pin.value = ''; pin.focus(); }
    ready();
    // Where much stands above it on a low screen, what is signed or refused must not lie below the edge,
    // nor behind the buttons, which stay at the edge.
    dialog.style.setProperty('--foot', `${row.offsetHeight + 12}px`);
    (no.textContent ? no : states).scrollIntoView({ block: 'nearest' });
  };
  const press = () => {
    if (busy || sign.disabled) return;
    busy = true; no.textContent = ''; ready();
    model.send_msg({ kind: 'sign', n: asked().n, press: ++sent, pending: shown.pending, secret: pin.value });
    pin.value = '';
  };
  const bytes = text => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
  const text64 = buffer => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const pressKey = async () => {
    if (busy || !canKey()) return;
    const { pending, challenge, rp_id, passkeys } = shown;
    busy = true; no.textContent = ''; ready();
    try {
      const got = await navigator.credentials.get({ publicKey: {
        challenge: Uint8Array.from(challenge.match(/../g), hex => parseInt(hex, 16)), rpId: rp_id, userVerification: 'required', timeout: 60000,
        allowCredentials: passkeys.map(id => ({ type: 'public-key', id: bytes(id) })) } });
      const it = got.response;
      model.send_msg({ kind: 'sign', n: asked().n, press: ++sent, pending, passkey: { credential: text64(got.rawId), authenticator_data: text64(it.authenticatorData), client_data: text64(it.clientDataJSON), signature: text64(it.signature) } });
    } catch (fault) {
      busy = false; no.textContent = 'Passkey: the device gave no answer. Try again, or use badge and PIN.'; ready();
    }
  };
  // The provider asks for its secret in a window of its own; what is signed stays on this page. That
  // window ends on a page of ours, which says here under which name the server keeps the answer.
  const channel = new BroadcastChannel('batchwright-provider');
  const pressVouch = () => {
    if (busy || !canVouch()) return;
    no.textContent = '';
    const opened = window.open(`/login/provider/sign?pending=${encodeURIComponent(shown.pending)}`, 'batchwright-provider', 'popup,width=560,height=720');
    if (opened) wait.textContent = 'Sign in with your company account in the window that has opened. Nothing is signed before.';
    else no.textContent = 'Company account: the browser opened no window. Allow windows of this address, or use badge and PIN.';
  };
  channel.addEventListener('message', ({ data }) => {
    if (busy || !shown || !data || data.pending !== shown.pending) return;
    wait.textContent = '';
    if (!data.answer) { no.textContent = data.says; return; }
    busy = true; no.textContent = ''; ready();
    model.send_msg({ kind: 'sign', n: asked().n, press: ++sent, pending: shown.pending, provider: data.answer });
  });
  form.addEventListener('submit', e => { e.preventDefault(); press(); });
  who.addEventListener('keydown', e => { if (e.key === 'Enter') { e.preventDefault(); if (who.value.trim()) pin.focus(); } });  // leaving the field asks
  who.addEventListener('change', askFor);
  who.addEventListener('input', () => { name.textContent = no.textContent = pin.value = ''; unshow(); });  // a secret is its person's
  meanings.addEventListener('change', () => { if (meanings.value) askFor(); else unshow(); });
  comment.addEventListener('input', unshow);
  comment.addEventListener('change', askFor);
  comment.addEventListener('keydown', e => { if (e.key === 'Enter') { e.preventDefault(); pin.focus(); } });
  key.addEventListener('click', pressKey);
  vouch.addEventListener('click', pressVouch);
  other.addEventListener('click', () => { asks = true; pin.value = ''; name.textContent = ''; unshow(); who.focus(); });
  pin.addEventListener('input', typed);
  cancel.addEventListener('click', () => { if (!busy) model.send_msg({ kind: 'cancel', n: asked().n }); });
  dialog.addEventListener('cancel', e => e.preventDefault());
  dialog.addEventListener('keydown', e => {
    e.stopPropagation();
    if (e.key === 'Escape') e.preventDefault();          // a signature is left by Cancel, not by accident
    if (e.key !== 'Tab') return;                          // keep Tab inside, also past the last control
    const stops = [who, pin, meanings, comment, cancel, key, vouch, other, sign].filter(x => !x.disabled && x.offsetParent !== null), at = stops.indexOf(dialog.getRootNode().activeElement);
    e.preventDefault();
    stops[(at + (e.shiftKey ? -1 : 1) + stops.length) % stops.length].focus();
  });
  model.on('ask', draw); model.on('answer', answer);
  model.on('remove', () => { clearTimeout(timer); channel.close(); });
  wrap.append(css);
  draw();
  return wrap;
}
