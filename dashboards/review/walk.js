export function render({ model }) {
  const wrap = document.createElement('div'), css = document.createElement('style'), nav = document.createElement('nav'), help = document.createElement('dialog');
  css.textContent = `
    nav { font-family: var(--bw-font); color: var(--bw-text); } h2 { font-size: 14px; font-weight: 600; color: var(--bw-muted); margin: 10px 2px 4px; } h2:first-child { margin-top: 0; }
    ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 6px; }
    li button { width: 100%; display: grid; grid-template-columns: 22px 1fr; gap: 0 8px; text-align: left; min-height: 52px; padding: 7px 12px 7px 9px; font: inherit; color: inherit; cursor: pointer;
      background: var(--bw-surface); border: 1px solid var(--bw-line); border-left: 5px solid var(--tone, var(--bw-line)); border-radius: 8px; }
    li button:hover { background: var(--bw-raised); } li button[aria-current] { background: var(--bw-raised); border-color: var(--bw-primary); border-left-color: var(--tone, var(--bw-primary)); box-shadow: 0 0 0 1px var(--bw-primary); }
    button:focus-visible { outline: 3px solid var(--bw-primary); outline-offset: 2px; }
    [data-tone=ok] { --tone: var(--bw-ok); } [data-tone=near] { --tone: var(--bw-near); } [data-tone=bad] { --tone: var(--bw-bad); } [data-tone=held] { --tone: var(--bw-held); } [data-tone=info] { --tone: var(--bw-info); } [data-tone=unknown] { --tone: var(--bw-unknown); }
    .mark { width: 18px; height: 18px; color: var(--tone, var(--bw-muted)); grid-row: 1 / span 3; align-self: center; }
    .title { font-weight: 650; font-size: 16px; overflow-wrap: anywhere; } .sub { font-size: 14px; color: var(--bw-muted); overflow-wrap: anywhere; } .word { font-size: 14px; font-weight: 600; color: var(--tone, var(--bw-muted)); }
    .keys { margin: 10px 2px 0; display: flex; gap: 10px; align-items: center; font-size: 14px; color: var(--bw-muted); flex-wrap: wrap; }
    kbd { font: 600 13px var(--bw-font); border: 1px solid var(--bw-control); border-radius: 4px; padding: 1px 6px; background: var(--bw-surface); color: var(--bw-text); }
    .plain { font: inherit; font-size: 14px; min-height: 32px; padding: 0 10px; border: 1px solid var(--bw-control); border-radius: 6px; background: var(--bw-surface); color: var(--bw-text); cursor: pointer; }
    dialog { font-family: var(--bw-font); color: var(--bw-text); background: var(--bw-surface); border: 2px solid var(--bw-control); border-radius: 12px; padding: 20px 26px; width: min(480px, calc(100vw - 40px)); }
    dialog::backdrop { background: rgb(0 0 0 / .5); } dialog h2 { font-size: 21px; color: var(--bw-text); margin: 0 0 10px; } dl { display: grid; grid-template-columns: auto 1fr; gap: 8px 16px; margin: 0 0 14px; } dd { margin: 0; }
    label { display: flex; gap: 10px; align-items: center; min-height: 44px; } input { width: 20px; height: 20px; } .row { display: flex; justify-content: flex-end; } .row .plain { min-height: 44px; font-size: 16px; padding: 0 20px; }`;
  const SHAPE = {
    ok: '<path d="M2 8.5 6 12.5 14 3.5" fill="none" stroke="currentColor" stroke-width="2.6"/>',
    near: '<path d="M8 2 15 14H1Z" fill="currentColor"/>',
    bad: '<path d="M3 3 13 13M13 3 3 13" fill="none" stroke="currentColor" stroke-width="3"/>',
    info: '<circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2.2"/>',
    held: '<path d="M4 2h3v12H4zM9 2h3v12H9z" fill="currentColor"/>',
    unknown: '<circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.2"/>',
  };
  const make = (tag, parent, cls = '', text = '') => { const e = document.createElement(tag); if (cls) e.className = cls; if (text) e.textContent = text; parent.append(e); return e; };
  const SWITCH = 'bw_single_keys', on = () => localStorage.getItem(SWITCH) !== 'off';
  let at = model.at;                          // from here on the list's own: an echo would lose fast keys
  const draw = () => {
    const held = wrap.getRootNode().activeElement?.dataset?.id;
    nav.replaceChildren(); nav.setAttribute('aria-label', model.label);
    let group = null, list = null;
    for (const it of model.items) {
      if (it.group !== group) { group = it.group; make('h2', nav, '', group); list = make('ul', nav); list.setAttribute('aria-label', group); }
      const b = make('button', make('li', list)); b.type = 'button'; b.dataset.id = it.id; b.dataset.tone = it.tone; b.setAttribute('data-testid', 'item-' + it.id);
      if (it.id === at) b.setAttribute('aria-current', 'true');
      const mark = make('span', b, 'mark'); mark.innerHTML = `<svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">${SHAPE[it.tone] || SHAPE.info}</svg>`;
      make('span', b, 'title', it.title); if (it.sub) make('span', b, 'sub', it.sub); make('span', b, 'word', it.word);
      b.addEventListener('click', () => choose(it.id));
      if (it.id === held) b.focus({ preventScroll: true });
    }
    const keys = make('p', nav, 'keys');
    for (const [k, w] of [['J', ''], ['K', 'next, previous'], ['E', 'evidence']]) { make('kbd', keys, '', k); if (w) make('span', keys, '', w); }
    const ask = make('button', keys, 'plain', 'Keys (?)'); ask.type = 'button'; ask.setAttribute('data-testid', 'keys-help'); ask.addEventListener('click', open);
  };
  const choose = id => {                      // marked at once, the evidence follows
    at = id;
    for (const b of nav.querySelectorAll('li button')) { if (b.dataset.id === id) { b.setAttribute('aria-current', 'true'); b.scrollIntoView({ block: 'nearest' }); } else b.removeAttribute('aria-current'); }
    model.send_msg({ id });
  };
  const step = by => {
    const ids = model.items.map(x => x.id), i = ids.indexOf(at);
    if (ids.length) choose(ids[Math.min(Math.max(i + by, 0), ids.length - 1)]);
  };
  const find = (root, test) => {             // pages are made of open shadow roots
    for (const e of root.querySelectorAll('*')) {
      if (test(e)) return e;
      const inner = e.shadowRoot && find(e.shadowRoot, test);
      if (inner) return inner;
    }
    return null;
  };
  const shown = e => e.checkVisibility ? e.checkVisibility({ visibilityProperty: true }) : true;
  const go = test => { const e = find(document, x => test(x) && shown(x)); if (e) { e.focus(); e.scrollIntoView({ block: 'nearest' }); } return Boolean(e); };
  const evidence = () => go(e => e.dataset && e.dataset.testid === 'evidence');
  const assess = () => go(e => e.tagName === 'TEXTAREA' && !e.readOnly && e.getAttribute('aria-hidden') !== 'true');
  make('h2', help, '', 'Keys of this page').id = 'keys-title'; help.setAttribute('aria-labelledby', 'keys-title'); help.setAttribute('data-testid', 'keys');
  const list = make('dl', help);
  for (const [k, w] of [['J', 'Next item of the list'], ['K', 'Previous item'], ['E', 'Go to the evidence'], ['A', 'Go to the assessment'], ['?', 'These keys'], ['Esc', 'Leave a text field: single keys work again']]) { make('kbd', make('dt', list), '', k); make('dd', list, '', w); }
  const label = make('label', help), box = make('input', label); box.type = 'checkbox'; box.checked = on(); make('span', label, '', 'Single keys are on'); box.addEventListener('change', () => localStorage.setItem(SWITCH, box.checked ? 'on' : 'off'));
  const shut = giveBack(help), close = make('button', make('div', help, 'row'), 'plain', 'Close'); close.type = 'button'; close.addEventListener('click', () => shut.close());
  help.addEventListener('cancel', e => { e.preventDefault(); shut.close(); });
  const open = () => { if (!help.open) { box.checked = on(); shut.show(); close.focus(); } };
  const typing = t => t && (/^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName) || t.isContentEditable);
  const DO = { j: () => step(1), k: () => step(-1), e: evidence, a: assess, '?': open };
  const key = e => {
    const path = e.composedPath(), t = path[0];
    if (e.key === 'Escape' && typing(t)) { t.blur(); return; }
    if (e.ctrlKey || e.altKey || e.metaKey || typing(t) || !on()) return;
    if (path.some(x => x.tagName === 'DIALOG' || x.getAttribute?.('role') === 'dialog')) return;
    const act = DO[e.key.length === 1 ? e.key.toLowerCase() : e.key];
    if (act) { e.preventDefault(); act(); }
  };
  const follow = e => {                       // links to another item stay on the page
    const link = e.composedPath().find(x => x.dataset && x.dataset.at);
    if (link && !e.ctrlKey && !e.metaKey && !e.shiftKey) { e.preventDefault(); choose(link.dataset.at); }
  };
  document.addEventListener('keydown', key); document.addEventListener('click', follow);
  model.on('remove', () => { document.removeEventListener('keydown', key); document.removeEventListener('click', follow); });
  for (const name of ['items', 'label']) model.on(name, draw);
  draw(); wrap.append(css, nav, help);
  return wrap;
}
