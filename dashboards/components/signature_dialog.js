export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style');
  css.textContent = `
    dialog { font-family: var(--bw-font); color: var(--bw-text); background: var(--bw-surface); border: 2px solid var(--bw-control); border-radius: 12px; padding: 0; width: min(1040px, calc(100vw - 32px)); max-height: calc(100vh - 24px); overflow: auto; box-sizing: border-box; }
    dialog::backdrop { background: rgb(0 0 0 / .6); }
    form { padding: 20px 28px 22px; display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 12px 32px; align-items: start; }
    .left { display: grid; gap: 12px; min-width: 0; } h2, .row { grid-column: 1 / -1; }
    .pad { display: grid; grid-template-columns: repeat(3, 88px); gap: 16px; } .pad button { min-width: 0; padding: 0; font-size: 28px; font-variant-numeric: tabular-nums; touch-action: manipulation; user-select: none; }
    .pad button:active { background: var(--bw-raised); }
    @media (max-width: 900px) { form { grid-template-columns: minmax(0, 1fr); } .pad { justify-content: start; } }
    h2 { font-size: 26px; margin: 0; } h3 { font-size: 17px; margin: 0 0 4px; }
    .what { border: 1px solid var(--bw-line); border-radius: 8px; padding: 10px 16px; }
    dl { margin: 0; display: grid; grid-template-columns: minmax(120px, auto) 1fr; gap: 3px 18px; font-size: 17px; } dt { color: var(--bw-muted); } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    label { display: block; font-size: 18px; font-weight: 600; margin-bottom: 4px; }
    input { width: 100%; box-sizing: border-box; min-height: 64px; font: inherit; font-size: 26px; padding: 0 14px; border: 3px solid var(--bw-control); border-radius: 8px; background: var(--bw-page); color: var(--bw-text); }
    input:focus { border-color: var(--bw-primary); outline: 3px solid var(--bw-primary); outline-offset: 1px; }
    .fields { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; } @media (max-width: 560px) { .fields { grid-template-columns: 1fr; } }
    .who { margin: 0; font-size: 18px; min-height: 26px; } .who b { font-weight: 650; }
    .meaning { margin: 0; font-size: 20px; } .meaning b { font-weight: 700; }
    .no { background: var(--bw-alarm); color: var(--bw-on-alarm); border-radius: 8px; padding: 10px 16px; margin: 0; font-size: 18px; } .no:empty { display: none; }
    .row { display: flex; justify-content: space-between; gap: 24px; }
    button { min-height: 72px; min-width: 150px; padding: 0 28px; font: inherit; font-size: 24px; font-weight: 600; border: 2px solid var(--bw-control); border-radius: 8px; background: var(--bw-surface); color: var(--bw-text); cursor: pointer; }
    button.sign { flex: 1; max-width: 340px; background: var(--bw-primary); border-color: var(--bw-primary); color: var(--bw-on-primary); }
    button:disabled { background: var(--bw-raised); border-color: var(--bw-control); color: var(--bw-muted); cursor: default; }
    button:focus-visible { outline: 4px solid var(--bw-primary); outline-offset: 3px; }`;
  const make = (tag, parent, attrs = {}, text = '') => { const e = document.createElement(tag); for (const k in attrs) e.setAttribute(k, attrs[k]); if (text) e.textContent = text; parent.append(e); return e; };
  const dialog = make('dialog', wrap, { 'aria-labelledby': 'sign-title', 'data-testid': 'signature', closedby: 'none' });
  const form = make('form', dialog, { method: 'dialog', novalidate: '', autocomplete: 'off' });
  make('h2', form, { id: 'sign-title' }, 'Electronic signature');
  const left = make('div', form, { class: 'left' });
  const what = make('div', left, { class: 'what', 'data-testid': 'signature-what' }), subject = make('h3', what), list = make('dl', what);
  const fields = make('div', left, { class: 'fields' });
  const one = make('div', fields), two = make('div', fields);
  make('label', one, { for: 'sign-who' }, 'Badge');
  const who = make('input', one, { id: 'sign-who', type: 'text', maxlength: 128, autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none', inputmode: 'none', 'data-testid': 'signature-badge', 'aria-describedby': 'sign-name' });
  make('label', two, { for: 'sign-pin' }, 'PIN');
  const pin = make('input', two, { id: 'sign-pin', type: 'password', maxlength: 128, autocomplete: 'off', 'data-testid': 'signature-pin' });
  const name = make('p', left, { class: 'who', id: 'sign-name', role: 'status', 'data-testid': 'signature-name' });
  const meaning = make('p', left, { class: 'meaning', 'data-testid': 'signature-meaning' });
  const no = make('p', left, { class: 'no', role: 'alert', 'data-testid': 'signature-refusal' });
  const pad = make('div', form, { class: 'pad', role: 'group', 'aria-label': 'Digits of the PIN' });
  const row = make('div', form, { class: 'row' });
  const cancel = make('button', row, { type: 'button', 'data-testid': 'signature-cancel' }, 'Cancel');
  const sign = make('button', row, { type: 'submit', class: 'sign', 'data-testid': 'signature-sign' }, 'Sign');

  let busy = false, sent = 0, timer = 0;
  const ready = () => { sign.disabled = busy || !who.value.trim() || !pin.value; sign.textContent = busy ? 'Recording …' : 'Sign'; };
  const asked = () => model.ask || {};
  const instant = () => {
    const { zone, skew } = asked();
    const at = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(new Date(Date.now() + (skew || 0)));
    return `${at} ${zone}`;
  };
  const draw = () => {
    const a = asked();
    clearInterval(timer);
    if (!a.n) { if (dialog.open) dialog.close(); who.value = pin.value = ''; return; }
    subject.textContent = a.subject; list.replaceChildren();
    for (const [k, v] of a.lines) { make('dt', list, {}, k); make('dd', list, {}, v); }
    a.skew = a.now_ms - Date.now();
    make('dt', list, {}, 'Date and time'); const when = make('dd', list, { 'data-testid': 'signature-time' }, instant());
    timer = setInterval(() => { when.textContent = instant(); }, 1000);
    meaning.replaceChildren('By pressing Sign I state: '); make('b', meaning, {}, a.meaning);
    who.value = a.user || ''; pin.value = ''; name.textContent = ''; no.textContent = ''; busy = false; ready();
    const open = () => { if (!dialog.isConnected) return; if (!dialog.open) dialog.showModal(); (who.value ? pin : who).focus(); if (who.value) askName(); };
    if (dialog.isConnected) open(); else setTimeout(open, 0);
  };
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
      pin.focus(); ready();
    });
  }
  const askName = () => { const text = who.value.trim(); if (text) model.send_msg({ kind: 'who', n: asked().n, who: text }); else name.textContent = ''; };
  const answer = () => {
    const { n, refusal, printed, closes } = model.answer || {};
    if (n !== asked().n) return;
    if (printed !== undefined) { name.replaceChildren('Signs as: '); make('b', name, {}, printed || 'not known here'); }
    if (refusal !== undefined) { busy = false; pin.value = ''; no.textContent = refusal; ready(); (who.value ? pin : who).focus(); }
    if (closes) { busy = false; ready(); }
  };
  const press = () => {
    if (busy || sign.disabled) return;
    busy = true; no.textContent = ''; ready();
    model.send_msg({ kind: 'sign', n: asked().n, press: ++sent, who: who.value.trim(), secret: pin.value });
    pin.value = '';
  };
  form.addEventListener('submit', e => { e.preventDefault(); press(); });
  who.addEventListener('keydown', e => { if (e.key === 'Enter') { e.preventDefault(); askName(); if (who.value.trim()) pin.focus(); } });
  who.addEventListener('change', askName);
  who.addEventListener('input', () => { name.textContent = ''; ready(); });
  pin.addEventListener('input', ready);
  cancel.addEventListener('click', () => { if (!busy) model.send_msg({ kind: 'cancel', n: asked().n }); });
  dialog.addEventListener('cancel', e => e.preventDefault());
  dialog.addEventListener('keydown', e => {
    e.stopPropagation();
    if (e.key === 'Escape') e.preventDefault();          // a signature is left by Cancel, not by accident
    if (e.key !== 'Tab') return;                          // keep Tab inside, also past the last control
    const stops = [who, pin, cancel, sign].filter(x => !x.disabled), at = stops.indexOf(dialog.getRootNode().activeElement);
    e.preventDefault();
    stops[(at + (e.shiftKey ? -1 : 1) + stops.length) % stops.length].focus();
  });
  model.on('ask', draw); model.on('answer', answer);
  model.on('remove', () => clearInterval(timer));
  wrap.append(css);
  draw();
  return wrap;
}
