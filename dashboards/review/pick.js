export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style'), group = document.createElement('div');
  css.textContent = `
    div[role=group] { display: flex; flex-wrap: wrap; gap: 8px; font-family: var(--bw-font); }
    button { min-height: 44px; padding: 0 16px; font: inherit; font-size: 16px; color: var(--bw-text); background: var(--bw-surface); border: 1.5px solid var(--bw-control); border-radius: 8px; cursor: pointer; white-space: nowrap; }
    button:hover { background: var(--bw-raised); } button small { font-size: 14px; color: var(--bw-muted); font-variant-numeric: tabular-nums; margin-left: 6px; }
    button[aria-pressed=true] { background: var(--bw-primary); border-color: var(--bw-primary); color: var(--bw-on-primary); font-weight: 650; } button[aria-pressed=true] small { color: inherit; }
    button:focus-visible { outline: 3px solid var(--bw-primary); outline-offset: 2px; }`;
  group.setAttribute('role', 'group');
  const draw = () => {
    group.setAttribute('aria-label', model.label);
    const held = group.getRootNode().activeElement?.dataset?.id;
    group.replaceChildren();
    for (const it of model.options) {
      const b = document.createElement('button'); b.type = 'button'; b.dataset.id = it.id; b.textContent = it.title;
      if (it.count) { const s = document.createElement('small'); s.textContent = it.count; b.append(s); }
      b.setAttribute('aria-pressed', String(it.id === model.value)); b.setAttribute('data-testid', 'pick-' + it.id);
      b.addEventListener('click', () => model.send_msg({ id: it.id }));
      group.append(b);
      if (it.id === held) b.focus();
    }
  };
  for (const name of ['options', 'value', 'label']) model.on(name, draw);
  draw(); wrap.append(css, group);
  return wrap;
}
