// The last page of the window in which the sign-in provider asked: tell the signer's own page, then close.
(() => {
  const { pending, answer, says } = document.getElementById('provider-answer').dataset;
  const channel = new BroadcastChannel('batchwright-provider');
  channel.postMessage({ pending, answer, says });
  setTimeout(() => { channel.close(); if (answer) window.close(); }, 150);
})();
