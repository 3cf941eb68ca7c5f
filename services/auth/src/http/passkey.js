// Signing in by a passkey, on the page that programs send people to. Without this script, or in a browser
// that does not know passkeys, the form stays hidden and the other ways are there.
'use strict';

const form = document.getElementById('passkey');
const known = window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined;

async function show() {
  const { publicKey } = JSON.parse(form.dataset.options);
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  const credential = await navigator.credentials.get({ publicKey: options });
  form.elements.namedItem('credential').value = JSON.stringify(credential.toJSON());
  form.submit();
}

if (form && known) {
  form.hidden = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const told = document.getElementById('passkey-told');
    told.hidden = true;
    show().catch(() => {
      told.hidden = false;
    });
  });
}
