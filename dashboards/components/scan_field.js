export function render({ model }) {
  const wrap = document.createElement('div'), lab = document.createElement('label'), inp = document.createElement('input');
  const said = document.createElement('p');
  const css = document.createElement('style');
  css.textContent = `
    div { font-family: var(--bw-font); color: var(--bw-text); }
    label { display: block; font-size: 18px; font-weight: 600; margin-bottom: 4px; }
    input { width: 100%; box-sizing: border-box; min-height: 72px; font: inherit; font-size: 26px; padding: 0 14px;
      border: 3px solid var(--bw-control); border-radius: 8px; background: var(--bw-surface); color: var(--bw-text); }
    input:focus { border-color: var(--bw-primary); outline: 3px solid var(--bw-primary); outline-offset: 1px; }
    input:disabled { background: var(--bw-raised); }
    p { margin: 6px 0 0; min-height: 28px; font-size: 20px; font-weight: 600; }
    p[data-state=ok] { color: var(--bw-ok); } p[data-state=bad] { color: var(--bw-bad); }`;
  lab.textContent = model.label; lab.htmlFor = inp.id = 'scan';
  Object.assign(inp, { type: 'text', autocomplete: 'off', spellcheck: false, inputMode: 'none', maxLength: model.max_length });
  inp.setAttribute('data-testid', 'scan');
  inp.setAttribute('autocapitalize', 'off');
  said.setAttribute('role', 'status'); said.setAttribute('data-testid', 'scan-result');
  const answer = () => {
    const { state, text } = model.answer || {};
    said.dataset.state = state || '';
    said.textContent = text ? (state === 'ok' ? '✓ ' : state === 'bad' ? '✕ ' : '') + text : '';
  };
  const enable = () => { inp.disabled = !model.enabled; };
  answer(); enable();
  let n = 0;
  inp.addEventListener('keydown', e => {
    if (e.ctrlKey && e.key === ']') {  // how most readers send the GS1 group separator
      e.preventDefault(); e.stopPropagation(); inp.value += '\u001d';
      return;
    }
    if (e.key === 'Enter' || (e.key === 'Tab' && inp.value)) {
      e.preventDefault(); e.stopPropagation();
      const text = inp.value.replace(/^ +| +$/g, ''); inp.value = '';
      if (text) model.send_msg({ n: ++n, text, t: Date.now() });
    }
  });
  const typing = t => t && (/^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName) || t.isContentEditable);
  const focus = () => inp.focus({ preventScroll: true });
  const active = () => { let a = document.activeElement; while (a?.shadowRoot?.activeElement) a = a.shadowRoot.activeElement; return a; };
  const wanted = () => model.autofocus && model.enabled && inp.isConnected;
  const refocus = () => setTimeout(() => { if (wanted() && !typing(active())) focus(); }, 150);
  const catchKey = e => {  // a scan starts while a button has the focus: move focus before the character lands
    if (!wanted() || e.ctrlKey || e.altKey || e.metaKey) return;
    const path = e.composedPath();
    if (typing(path[0]) || path.some(x => x.tagName === 'DIALOG' || x.getAttribute?.('role') === 'dialog')) return;
    if (e.key.length === 1 && e.key !== ' ') focus();
  };
  document.addEventListener('pointerup', refocus);
  document.addEventListener('keydown', catchKey, true);
  model.on('answer', answer);
  model.on('enabled', () => { enable(); refocus(); });
  model.on('autofocus', refocus);
  model.on('label', () => { lab.textContent = model.label; });
  model.on('remove', () => {
    document.removeEventListener('pointerup', refocus);
    document.removeEventListener('keydown', catchKey, true);
  });
  wrap.append(css, lab, inp, said);
  setTimeout(() => wanted() && focus(), 300);
  return wrap;
}
