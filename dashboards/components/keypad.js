export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style');
  css.textContent = `
    .pad { font-family: var(--bw-font); color: var(--bw-text); display: grid; grid-template-columns: repeat(4, minmax(80px, 1fr)); gap: 16px; max-width: 460px; }
    .show { grid-column: 1 / -1; }
    label { display: block; font-size: 18px; font-weight: 600; margin-bottom: 4px; }
    .field { display: flex; align-items: center; gap: 10px; }
    input { flex: 1; min-width: 0; min-height: 72px; box-sizing: border-box; font: inherit; font-size: 34px; text-align: right; font-variant-numeric: tabular-nums; padding: 0 14px;
      border: 3px solid var(--bw-control); border-radius: 8px; background: var(--bw-surface); color: var(--bw-text); }
    input:focus { border-color: var(--bw-primary); outline: 3px solid var(--bw-primary); outline-offset: 1px; }
    .unit { font-size: 26px; color: var(--bw-muted); }
    button { min-height: 76px; font: inherit; font-size: 30px; font-weight: 600; border: 2px solid var(--bw-control); border-radius: 8px;
      background: var(--bw-surface); color: var(--bw-text); cursor: pointer; touch-action: manipulation; user-select: none; }
    button:active { background: var(--bw-raised); } button:disabled { opacity: .5; cursor: default; }
    button:focus-visible { outline: 3px solid var(--bw-primary); outline-offset: 2px; }
    .back, .ok { grid-column: 4; grid-row: span 2; } .back { grid-row: 2 / 4; } .ok { grid-row: 4 / 6; background: var(--bw-primary); color: var(--bw-on-primary); border-color: var(--bw-primary); font-size: 24px; }
    @media (max-height: 820px) { label { margin-bottom: 0; } button { min-height: 72px; } }`;
  const pad = document.createElement('div'); pad.className = 'pad'; pad.setAttribute('role', 'group'); pad.setAttribute('data-testid', 'keypad');
  const show = document.createElement('div'); show.className = 'show';
  const lab = document.createElement('label'), field = document.createElement('div'), inp = document.createElement('input'), unit = document.createElement('span');
  field.className = 'field'; unit.className = 'unit';
  lab.htmlFor = inp.id = 'keypad-value';
  inp.setAttribute('data-testid', 'keypad-value'); inp.autocomplete = 'off';
  field.append(inp, unit); show.append(lab, field); pad.append(show);
  const isPin = () => model.mode === 'pin';
  const fits = text => isPin() ? /^[0-9]*$/.test(text) : /^[0-9]*\.?[0-9]*$/.test(text);
  const put = text => { if (fits(text) && text.length <= model.max_length) inp.value = text; };
  const send = () => {
    const text = inp.value.replace(',', '.');
    if (!text || text === '.') return;
    empty();                                 // at once: a second tap sends nothing, the next digit begins a new value
    model.send_msg({ text });
  };
  let kept = '';
  const empty = () => { inp.value = kept = ''; };
  inp.addEventListener('keydown', e => { if (e.key === 'Enter') { e.preventDefault(); e.stopPropagation(); send(); } });
  inp.addEventListener('input', () => {
    const text = inp.value.replace(',', '.');
    if (fits(text) && text.length <= model.max_length) kept = inp.value = text; else inp.value = kept;
  });
  const key = (text, act, name) => {
    const b = document.createElement('button'); b.type = 'button'; b.textContent = text;
    if (name) b.setAttribute('aria-label', name);
    b.addEventListener('click', () => { act(); kept = inp.value; });
    pad.append(b); return b;
  };
  for (const d of '789456123') key(d, () => put(inp.value + d));
  key('C', empty, 'Clear');
  key('0', () => put(inp.value + '0'));
  const dot = key('.', () => put(inp.value + '.'), 'Decimal point');
  const back = key('⌫', () => { inp.value = inp.value.slice(0, -1); }, 'Delete the last digit');
  back.className = 'back';
  const ok = key(model.ok_label, send); ok.className = 'ok'; ok.setAttribute('data-testid', 'keypad-ok');
  const dress = () => {
    lab.textContent = model.label; unit.textContent = model.unit; unit.hidden = !model.unit; ok.textContent = model.ok_label;
    inp.type = isPin() ? 'password' : 'text'; inp.inputMode = 'none'; dot.disabled = isPin();
    pad.setAttribute('aria-label', 'Keys');
  };
  dress();
  for (const name of ['label', 'unit', 'mode', 'ok_label']) model.on(name, dress);
  // Emptied here and never by the server, whose message could come late and wipe what is typed next.
  document.addEventListener('bw-chosen', empty);
  model.on('remove', () => document.removeEventListener('bw-chosen', empty));
  wrap.append(css, pad);
  return wrap;
}
