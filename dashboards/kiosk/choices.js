export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style'), box = document.createElement('div');
  css.textContent = `
    .box { display: grid; gap: 16px; font-family: var(--bw-font); }
    .box[data-shape=grid] { grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); }
    button { display: grid; grid-template-columns: minmax(0, 1fr) auto; align-items: center; gap: 4px 24px; min-height: 92px; padding: 12px 22px; text-align: left; font: inherit; color: var(--bw-text);
      background: var(--bw-surface); border: 2px solid var(--bw-control); border-left: 10px solid var(--tone, var(--bw-control)); border-radius: 10px; cursor: pointer; touch-action: manipulation; user-select: none; -webkit-user-select: none; }
    .box[data-shape=grid] button { grid-template-columns: 1fr; align-content: center; }
    .box[data-shape=tight] { gap: 10px; } .box[data-shape=tight] button { min-height: 74px; padding: 6px 20px; } .box[data-shape=tight] .title { font-size: 22px; }
    button[data-tone=ok] { --tone: var(--bw-ok); } button[data-tone=near] { --tone: var(--bw-near); } button[data-tone=bad] { --tone: var(--bw-bad); }
    button[data-tone=held] { --tone: var(--bw-held); } button[data-tone=info] { --tone: var(--bw-info); } button[data-tone=unknown] { --tone: var(--bw-unknown); }
    button:active { background: var(--bw-raised); } button:disabled { cursor: default; background: var(--bw-raised); border-style: dashed; border-left-style: solid; }
    button:focus-visible { outline: 4px solid var(--bw-primary); outline-offset: 3px; }
    button[aria-pressed=true] { border-color: var(--bw-primary); outline: 3px solid var(--bw-primary); background: var(--bw-raised); }
    .title { font-size: 24px; font-weight: 650; overflow-wrap: anywhere; } .sub { font-size: 18px; color: var(--bw-muted); overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    .why { font-size: 18px; font-weight: 600; color: var(--tone); overflow-wrap: anywhere; }
    .text { display: grid; gap: 2px; } .side { display: grid; justify-items: end; gap: 8px; } .box[data-shape=grid] .side { justify-items: start; }
    .chip { display: inline-flex; align-items: center; gap: 8px; font-size: 18px; font-weight: 650; color: var(--tone); white-space: nowrap; } .chip svg { width: 20px; height: 20px; }
    .value { font-size: 26px; font-weight: 650; font-variant-numeric: tabular-nums; }
    .was { font-size: 20px; color: var(--bw-muted); text-decoration-thickness: 2px; font-variant-numeric: tabular-nums; }
    .empty { font-size: 20px; color: var(--bw-muted); margin: 0; padding: 22px; border: 2px dashed var(--bw-line); border-radius: 10px; }`;
  const SHAPE = {
    ok: '<path d="M2 8.5 6 12.5 14 3.5" fill="none" stroke="currentColor" stroke-width="2.6"/>',
    near: '<path d="M8 2 15 14H1Z" fill="currentColor"/>',
    bad: '<path d="M3 3 13 13M13 3 3 13" fill="none" stroke="currentColor" stroke-width="3"/>',
    info: '<circle cx="8" cy="8" r="5.5" fill="currentColor"/>',
    held: '<path d="M4 2h3v12H4zM9 2h3v12H9z" fill="currentColor"/>',
    unknown: '<circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.2"/>',
  };
  box.className = 'box';
  const span = (cls, text, parent) => { const e = document.createElement('span'); e.className = cls; e.textContent = text; parent.append(e); return e; };
  let last = 0;
  const draw = () => {
    box.dataset.shape = model.shape; box.setAttribute('role', 'group'); box.setAttribute('aria-label', model.label);
    const held = box.getRootNode().activeElement?.dataset?.id;
    box.replaceChildren();
    for (const it of model.items) {
      const b = document.createElement('button'); b.type = 'button'; b.dataset.id = it.id; b.dataset.tone = it.tone || '';
      b.setAttribute('data-testid', 'choice-' + it.id);
      if (it.selected !== undefined) b.setAttribute('aria-pressed', String(it.selected));
      b.disabled = it.enabled === false;
      const text = span('text', '', b); span('title', it.title, text);
      for (const line of it.lines || []) span('sub', line, text);
      for (const line of it.why || []) span('why', line, text);
      if (it.word || it.value || it.was) {
        const side = span('side', '', b);
        if (it.was) { const old = document.createElement('s'); old.className = 'was'; old.textContent = it.was; side.append(old); }
        if (it.value) span('value', it.value, side);
        if (it.word) { const c = span('chip', '', side); c.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true">${SHAPE[it.tone] || SHAPE.info}</svg>`; span('', it.word, c); }
      }
      b.addEventListener('click', () => { const at = Date.now(); if (at - last < 250) return; last = at; document.dispatchEvent(new Event('bw-chosen')); model.send_msg({ id: it.id }); });
      box.append(b);
      if (it.id === held) b.focus();
    }
    if (!model.items.length) { const p = document.createElement('p'); p.className = 'empty'; p.textContent = model.empty; box.append(p); }
  };
  for (const name of ['items', 'shape', 'label']) model.on(name, draw);
  draw(); wrap.append(css, box);
  return wrap;
}
