package config

// Sample returns a commented configuration file to begin with. It can be read
// as it is.
func Sample() string { return sample }

const sample = `# ~/.offlineimaprc: also read by OfflineIMAP, which ignores what it does
# not know. A comment has its own line. A percent sign is written %%.
# offloop --help-config explains every key.

[general]
accounts = Personal
# ui = blinkenlights

[Account Personal]
localrepository = PersonalLocal
remoterepository = PersonalRemote
# Minutes between syncs; without it offloop syncs once and exits.
# autorefresh = 5

[Repository PersonalLocal]
type = Maildir
localfolders = ~/Mail/Personal
# / for nested directories, . for flat names as other Maildir programs use.
sep = /

[Repository PersonalRemote]
type = IMAP
remotehost = imap.example.org
remoteuser = me@example.org
# A command that prints the password; or remotepassfile = ~/.mailpass
remotepasscmd = pass show mail/personal
# The folders to sync; the last pattern that matches decides.
# folders = *, !Spam, !Archive/*
# Other names on the local side.
# rename = Sent Items -> Sent, Deleted Items -> Trash
`
