// The pages work without this file. It keeps a form from being sent twice, and tells the window
// that opened this one that its work is done.

for (const form of document.forms) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent !== undefined) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = '';
    // A button that is disabled would lose the focus.
    form.querySelector('button')?.setAttribute('aria-disabled', 'true');
  });
}

// Who comes back to a page that the browser kept may send it again.
addEventListener('pageshow', (event) => {
  if (!event.persisted) {
    return;
  }
  for (const form of document.forms) {
    delete form.dataset.sent;
    form.querySelector('button')?.removeAttribute('aria-disabled');
  }
});

const done = document.querySelector('[data-connected]');
if (done) {
  const connector = done.dataset.connected;
  // Only a page of ours is told: the browser drops the message where the opener is another's.
  window.opener?.postMessage({ message: 'marquetry-connected', connector }, location.origin);
  if (window.opener && done.dataset.close !== undefined) {
    window.close();
  }
}
