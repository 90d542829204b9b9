#!/usr/bin/env python2
import gnomekeyring as gkey
def get_password(repo):
    keyring = gkey.get_default_keyring_sync()
    items = gkey.find_items_sync(gkey.ITEM_NETWORK_PASSWORD, {"repo": repo})
    print "got", len(items)
    return items[0].secret
