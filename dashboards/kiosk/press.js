export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style'), b = document.createElement('button');
  css.textContent = `
    button { min-height: 76px; min-width: 130px; padding: 8px 26px; font-family: var(--bw-font); font-size: 24px; font-weight: 650; line-height: 1.2; border: 2px solid var(--bw-control); border-radius: 10px;
      background: var(--bw-surface); color: var(--bw-text); cursor: pointer; touch-action: manipulation; user-select: none; -webkit-user-select: none; }
    button[data-tone=primary] { min-width: 300px; min-height: 92px; font-size: 28px; background: var(--bw-primary); border-color: var(--bw-primary); color: var(--bw-on-primary); }
    button[data-tone=danger] { min-width: 270px; min-height: 92px; font-size: 25px; background: var(--bw-alarm); border-color: var(--bw-alarm); color: var(--bw-on-alarm); }
    button:active { filter: brightness(.9); }
    button:disabled { background: var(--bw-raised); border: 2px dashed var(--bw-control); color: var(--bw-muted); cursor: default; filter: none; }
    button[data-busy=true] { border-style: solid; }
    button:focus-visible { outline: 4px solid var(--bw-primary); outline-offset: 3px; }`;
  b.type = 'button';
  let busy = false, slow = 0;
  const draw = () => {
    b.dataset.tone = model.tone; b.dataset.busy = String(busy);
    b.disabled = busy || !model.enabled;
    b.textContent = busy ? model.busy_label : model.label;
    if (model.testid) b.setAttribute('data-testid', model.testid);
  };
  const press_id = () => Date.now().toString(16).padStart(12, '0') + [...crypto.getRandomValues(new Uint8Array(10))].map(x => x.toString(16).padStart(2, '0')).join('');
  b.addEventListener('click', () => {
    if (busy || !model.enabled) return;
    busy = true; draw();                       // at once, before any answer: a second tap finds no button
    model.send_msg({ id: press_id() });
    slow = setTimeout(() => { if (busy) b.textContent = 'Waiting …'; }, 4000);
  });
  model.on('answered', () => { busy = false; clearTimeout(slow); draw(); });
  for (const name of ['label', 'tone', 'enabled', 'busy_label']) model.on(name, draw);
  model.on('remove', () => clearTimeout(slow));
  if (!window.bwBack) { window.bwBack = true; addEventListener('popstate', () => location.reload()); }
  draw(); wrap.append(css, b);
  return wrap;
}
