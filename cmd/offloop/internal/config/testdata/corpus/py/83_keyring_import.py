import keyring
