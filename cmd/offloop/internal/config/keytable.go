package config

// keyTable is every key of the file: OfflineIMAP's and offloop's own.
// Validation, suggestions and the help text are made from it.
var keyTable = joinTables(generalKeys, accountKeys, repositoryKeys, maildirKeys, imapKeys, authKeys, mbnamesKeys)

func joinTables(parts ...[]Key) []Key {
	var out []Key
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

var generalKeys = []Key{
	{Name: "accounts", In: General, Type: TypeList, Doc: "The accounts to sync when -a does not name others. Required."},
	{Name: "metadata", In: General, Type: TypePath, Default: "~/.offlineimap", Doc: "The directory for state; created with mode 0700."},
	{Name: "maxsyncaccounts", In: General, Type: TypeInt, Default: "1", Doc: "How many accounts are synced at the same time."},
	{Name: "ui", In: General, Type: TypeText, Default: "by terminal", Doc: "The user interface: blinkenlights, ttyui, basic, quiet, syslog, machineui."},
	{Name: "fsync", In: General, Type: TypeBool, Default: "yes", Doc: "Flush mail and state to the disk before they count as stored."},
	{Name: "socktimeout", In: General, Type: TypeInt, Default: "60", Doc: "Seconds of silence after which a connection counts as dead; 0 for the default."},
	{Name: "deleted_retention", In: General | AccountSection, Type: TypeDuration, Default: "7d", Own: true, Doc: "How long files are kept in .offloop/trash of the Maildir root after the server deleted their messages; 0 deletes at once."},
	{Name: "fullcheck", In: General | AccountSection, Type: TypeDuration, Default: "1d", Own: true, Doc: "The longest time an unchanged folder goes without a full comparison."},
	{Name: "ignore-readonly", In: General, Type: TypeBool, Default: "no", Doc: "Do not warn that changes made here stay here because the server opens a folder read-only."},
	{Name: "pythonfile", In: General, Type: TypePath, Doc: "A Python file whose names expressions may use. What offloop cannot evaluate itself is asked of python3."},
	{Name: "filename_use_mail_timestamp", In: General | MaildirRepo, Type: TypeBool, Default: "no", Doc: "Begin the names of downloaded files with the time of the Date: header, else of Delivery-date:, else with the time of the download."},
	{Name: "utime_from_header", In: General | MaildirRepo, Type: TypeBool, Default: "no", Doc: "Set the times of downloaded files to that of the Date: header, if it has one; mtime_from_date, which takes the server's date, wins."},
	{Name: "dry-run", In: General, Type: TypeBool, Default: "no", Doc: "Change nothing on either side, only say what would be done; as --dry-run."},
	{Name: "ignore-keyring", In: General, Type: TypeBool, Default: "no", Doc: "Do not ask the system's keyring for a password that is given nowhere (secret-tool, on macOS security; the service is remotehost)."},
	{Name: "update-keyring", In: General, Type: TypeBool, Default: "no", Doc: "Put the passwords that servers take into the system's keyring, as --update-keyring does."},
}

var accountKeys = []Key{
	{Name: "localrepository", In: AccountSection, Type: TypeText, Doc: "The X of the [Repository X] that is the Maildir. Required."},
	{Name: "remoterepository", In: AccountSection, Type: TypeText, Doc: "The X of the [Repository X] that is the server. Required."},
	{Name: "autorefresh", In: AccountSection, Type: TypeFloat, Default: "0", Doc: "Minutes from one sync to the next; 0 syncs once and exits."},
	{Name: "maxsize", In: AccountSection, Type: TypeInt, Doc: "Bytes; larger messages are left alone on both sides."},
	{Name: "bytes_per_day", In: AccountSection, Type: TypeInt, Own: true, Doc: "Bytes that the account's connections may carry a day (UTC), both ways; then it rests until the next day. Gmail closes accounts for a day after 2,500 MB down or 500 MB up."},
	{Name: "maildir-windows-compatible", In: AccountSection, Type: TypeBool, Default: "no", Doc: "Write ! instead of : before the flags in file names."},
	{Name: "utf8foldernames", In: AccountSection, Type: TypeBool, Default: "no", Doc: "Folder names are UTF-8 on disk and in rules rather than modified UTF-7."},
	{Name: "quick", In: AccountSection, Type: TypeInt, Default: "0", Doc: "How many syncs after a full one count as quick; -1 for all. Every sync is a quick one here, unchanged folders cost next to nothing: the number only sets OFFLINEIMAPSYNCMODE for the hooks."},
	{Name: "presynchook", In: AccountSection, Type: TypeShell, Doc: "A shell command run before each sync, with OFFLINEIMAPSYNCMODE = full, quick or idle in its environment. What comes of it is logged and stops nothing."},
	{Name: "postsynchook", In: AccountSection, Type: TypeShell, Doc: "As presynchook, after each sync that reached the server; not after one that failed as a whole."},
	{Name: "hook_timeout", In: AccountSection, Type: TypeDuration, Default: "1h", Own: true, Doc: "How long a hook may run before it is ended."},
	{Name: "maxage", In: AccountSection, Type: TypeDate, Doc: "Days, or yyyy-mm-dd: new messages that are older are left alone on both sides. The server's go by the day it received them, files by the time their names begin with. What was synced goes on being synced however old it grows; nothing is deleted for its age."},
	{Name: "synclabels", In: AccountSection, Type: TypeBool, Default: "no", Status: Refused, Doc: "Sync Gmail's labels.", Why: "it keeps Gmail's labels in a header of every message, and offloop does not alter messages, so label changes would go unnoticed on both sides", Instead: "synclabels = no, which syncs messages, flags and folders and leaves labels as they are; or leave this account to OfflineIMAP"},
	{Name: "labelsheader", In: AccountSection, Type: TypeText, Default: "X-Keywords", Status: Dead, Doc: "The header that holds Gmail's labels. Means something only with synclabels, which is refused.", Instead: "nothing: it only means something with synclabels, which is refused"},
	{Name: "ignorelabels", In: AccountSection, Type: TypeList, Status: Dead, Doc: "Gmail labels to leave alone. Means something only with synclabels, which is refused.", Instead: "nothing: it only means something with synclabels, which is refused"},
	{Name: "filterheaders", In: AccountSection, Type: TypeList, Status: Refused, Doc: "Headers to remove before an upload. offloop never alters a message, so the account is refused: without the key they are sent.", Why: "offloop never alters a message, so these headers would be sent", Instead: "nothing, if these headers may be sent; else leave this account to OfflineIMAP"},
	{Name: "proxy", In: AccountSection, Type: TypeText, Doc: "TYPE:host:port of a proxy for connections; TYPE is SOCKS5, SOCKS4 or HTTP. The proxy looks the names up."},
	{Name: "authproxy", In: AccountSection, Type: TypeText, Default: "proxy", Doc: "As proxy, for fetching OAuth tokens; empty for none."},
	{Name: "status_backend", In: AccountSection | General, Type: TypeText, Status: Dead, Doc: "Chose OfflineIMAP's state format.", Instead: "nothing; delete the line"},
	{Name: "skipsleep", In: AccountSection, Type: TypeText, Status: Dead, Doc: "Internal to OfflineIMAP.", Instead: "nothing; delete the line"},
}

var repositoryKeys = []Key{
	{Name: "type", In: anyRepo, Type: TypeText, Doc: "IMAP or Gmail for the server, Maildir (or GmailMaildir) for the local side. Required."},
	{Name: "folders", In: anyRepo, Type: TypeFolders, Own: true, Doc: "The folders to sync, by this side's names: a list of patterns; * matches anything, % anything within one level, ! excludes, \"...\" is literal; the last match wins; a list that begins with ! begins with every folder. Takes the place of folderfilter."},
	{Name: "rename", In: anyRepo, Type: TypeRename, Own: true, Doc: "Other names on the other side: rules A -> B, separated by lines, commas or semicolons; one * on both sides stands for the same text. Takes the place of nametrans; the way back is derived."},
	{Name: "folderfilter", In: anyRepo, Type: TypePython, Doc: "A function of a folder's name saying whether to sync it.", Instead: "folders = INBOX, Archive/*, !Spam"},
	{Name: "folderincludes", In: anyRepo, Type: TypePython, Doc: "A list of folder names to sync in any case.", Instead: "folders = *, NAME"},
	{Name: "nametrans", In: anyRepo, Type: TypePython, Doc: "A function giving a folder's name on the other side.", Instead: "rename = [Gmail]/Sent Mail -> Sent"},
	{Name: "foldersort", In: IMAPRepo, Type: TypePython, Default: "by name", Doc: "A function of two folders' local names, below 0 if the first comes first: the order in which folders are begun. Python 2's cmp is known."},
	{Name: "dynamic_folderfilter", In: anyRepo, Type: TypeBool, Default: "no", Doc: "Accepted: folderfilter is evaluated in every round here. What python3 was asked once is not asked again in the same run."},
	{Name: "readonly", In: anyRepo, Type: TypeBool, Default: "no", Doc: "Change nothing on this side."},
	{Name: "createfolders", In: anyRepo, Type: TypeBool, Default: "yes", Doc: "Create folders on this side that the other has."},
	{Name: "sync_deletes", In: anyRepo, Type: TypeBool, Default: "yes", Doc: "Carry deletions made on this side to the other."},
	{Name: "startdate", In: anyRepo, Type: TypeDate, Doc: "yyyy-mm-dd: as maxage with a date, for both sides. Only one of maxage and the two startdate may be set."},
	{Name: "realdelete", In: anyRepo, Type: TypeBool, Status: Dead, Doc: "Read by no version in use.", Instead: "nothing; delete the line"},
	{Name: "spamfolder", In: IMAPRepo, Type: TypeText, Status: Dead, Doc: "Read by no version in use.", Instead: "nothing; delete the line"},
}

var maildirKeys = []Key{
	{Name: "localfolders", In: MaildirRepo, Type: TypePath, Doc: "The directory of the mail; created with mode 0700. Required."},
	{Name: "sep", In: MaildirRepo, Type: TypeText, Default: ".", Doc: "What separates levels of folders: . for flat names, / for nested directories."},
	{Name: "mtime_from_date", In: MaildirRepo, Type: TypeBool, Default: "no", Own: true, Doc: "Set a file's time to the time the server received the message."},
	{Name: "keywords", In: MaildirRepo, Type: TypeText, Own: true, Doc: "auto gives every keyword without a customflag a letter in every folder, off in none; absent: only in folders where no other program's letters can be meant."},
	{Name: "customflag_x", In: MaildirRepo, Type: TypeText, Doc: "customflag_a to customflag_z: the keyword that is this letter in file names."},
	{Name: "restoreatime", In: MaildirRepo, Type: TypeBool, Default: "no", Doc: "Leave the access times of new/ and cur/ as they are: these directories are read without touching them (Linux, and only one's own directories)."},
}

var imapKeys = []Key{
	{Name: "remotehost", In: IMAPRepo, Type: TypeText, Default: "imap.gmail.com for Gmail", Doc: "The server's name or address."},
	{Name: "remoteport", In: IMAPRepo, Type: TypeInt, Default: "993, or 143 with ssl = no", Doc: "The server's port."},
	{Name: "ssl", In: IMAPRepo, Type: TypeBool, Default: "yes", Doc: "Speak TLS from the first byte. With no, STARTTLS is required except to a loopback address, through a tunnel, or with starttls = no."},
	{Name: "starttls", In: IMAPRepo, Type: TypeBool, Default: "yes", Doc: "With ssl = no: require STARTTLS. no sends the password in clear."},
	{Name: "sslcacertfile", In: IMAPRepo, Type: TypePath, Default: "OS-DEFAULT", Doc: "The authorities that may sign the server's certificate; OS-DEFAULT for the system's."},
	{Name: "cert_fingerprint", In: IMAPRepo, Type: TypeList, Doc: "Fingerprints (SHA-1 to SHA-512, hex) one of which the server's certificate must have; checked besides sslcacertfile if that is set, else alone."},
	{Name: "ipv6", In: IMAPRepo, Type: TypeBool, Default: "both", Doc: "yes uses only IPv6, no only IPv4."},
	{Name: "preauthtunnel", In: IMAPRepo, Type: TypeShell, Doc: "A command whose input and output are an IMAP connection that is logged in."},
	{Name: "transporttunnel", In: IMAPRepo, Type: TypeShell, Doc: "A command whose input and output are an IMAP connection."},
	{Name: "maxconnections", In: IMAPRepo, Type: TypeInt, Default: "2", Doc: "Accepted. One connection does all the work; each of idlefolders has one more."},
	{Name: "subscribedonly", In: IMAPRepo, Type: TypeBool, Default: "no", Doc: "Only sync subscribed folders."},
	{Name: "expunge", In: IMAPRepo, Type: TypeBool, Default: "yes", Doc: "Expunge the messages deleted here; others' deletions are never expunged."},
	{Name: "pipeline", In: IMAPRepo, Type: TypeText, Default: "auto", Own: true, Doc: "The most commands sent ahead of their answers: a number from 1 (one at a time), or auto: 64, fewer for servers known to mind, and half as many after one has broken off."},
	{Name: "disable_extensions", In: IMAPRepo, Type: TypeList, Own: true, Doc: "Extensions not to use although the server offers them, as COMPRESS=DEFLATE, QRESYNC."},
	{Name: "trash", In: IMAPRepo, Type: TypeBool, Default: "no", Own: true, Doc: "Move messages deleted here to the server's trash folder instead of deleting them for good. What is deleted in that folder is gone. Without such a folder deletes wait."},
	{Name: "trashfolder", In: IMAPRepo, Type: TypeText, Default: "the one marked \\Trash", Doc: "With trash = yes: the server's name of the folder that deleted messages go to."},
	{Name: "sep", In: IMAPRepo, Type: TypeText, Status: Dead, Doc: "The server tells its separator itself.", Instead: "nothing; delete the line"},
	{Name: "reference", In: IMAPRepo, Type: TypeText, Doc: "Only folders whose names begin with this are synced, as folders = REFERENCE* does; a Maildir that is called otherwise is not made on the server."},
	{Name: "decodefoldernames", In: IMAPRepo, Type: TypeBool, Status: Dead, Doc: "Broken in OfflineIMAP 8.", Instead: "utf8foldernames = yes in the account"},
	{Name: "idlefolders", In: IMAPRepo, Type: TypePython, Doc: "A list of folders, by the server's names, to watch between and during rounds: what happens there is synced at once. Each takes a connection; one more is kept for the syncs. Needs autorefresh.", Instead: "idlefolders = ['INBOX']"},
	{Name: "usecompression", In: IMAPRepo, Type: TypeBool, Default: "when it pays", Doc: "Compress the connection (COMPRESS=DEFLATE). Without this line that is done where a hundred messages or more are to be fetched over a slow line."},
	{Name: "singlethreadperfolder", In: IMAPRepo, Type: TypeBool, Status: Dead, Doc: "There are no threads; messages arrive in order.", Instead: "nothing; delete the line"},
	{Name: "holdconnectionopen", In: IMAPRepo, Type: TypeBool, Default: "no", Doc: "Keep the connection between syncs."},
	{Name: "keepalive", In: IMAPRepo, Type: TypeInt, Default: "0", Doc: "Seconds between signs of life on a kept connection; 0: every nine minutes."},
	{Name: "newmail_hook", In: IMAPRepo, Type: TypePython, Doc: "Called once after a sync that brought unseen mail into INBOX; by python3, unless it is lambda: os.system(\"COMMAND\").", Instead: "newmail_cmd = COMMAND"},
	{Name: "newmail_cmd", In: IMAPRepo, Type: TypeShell, Own: true, Doc: "A shell command run once after a sync that brought unseen mail into INBOX; takes the place of newmail_hook."},
	{Name: "retrycount", In: IMAPRepo, Type: TypeInt, Default: "5", Doc: "How often the connection may break in the midst of one message before that message is set aside and the others come first; it is tried again later. OfflineIMAP's 2 is soon reached by a large message on a bad line, which is no fault of the message."},
	{Name: "copy_ignore_eval", In: IMAPRepo, Type: TypePython, Doc: "A function of a folder's local name giving a list of UIDs, or None: new messages with these UIDs are left on the server.", Instead: "folders = *, !NAME to leave out a whole folder"},
}

var authKeys = []Key{
	{Name: "remoteuser", In: IMAPRepo, Type: TypeText, Doc: "The login name; else the one in ~/.netrc or /etc/netrc."},
	{Name: "remoteusercmd", In: IMAPRepo, Type: TypeShell, Own: true, Doc: "A shell command that prints the login name."},
	{Name: "remotepass", In: IMAPRepo, Type: TypeSecret, Doc: "The password."},
	{Name: "remotepassfile", In: IMAPRepo, Type: TypePath, Doc: "A file with the password in its first line."},
	{Name: "remotepasscmd", In: IMAPRepo, Type: TypeShell, Own: true, Doc: "A shell command that prints the password; takes the place of remotepasseval."},
	{Name: "remotehosteval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving the host. What offloop cannot evaluate itself is asked of python3.", Instead: "remotehost = HOST"},
	{Name: "remoteporteval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving the port. What offloop cannot evaluate itself is asked of python3.", Instead: "remoteport = PORT"},
	{Name: "remoteusereval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving the login name. What offloop cannot evaluate itself is asked of python3.", Instead: "remoteusercmd = COMMAND, or remoteuser = NAME"},
	{Name: "remotepasseval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving the password. What offloop cannot evaluate itself is asked of python3.", Instead: "remotepasscmd = COMMAND, a shell command that prints the password"},
	{Name: "remote_identity", In: IMAPRepo, Type: TypeText, Doc: "The identity to act as (SASL PLAIN's authorisation identity)."},
	{Name: "auth_mechanisms", In: IMAPRepo, Type: TypeList, Default: "as the server allows", Doc: "The ways to log in, in order of preference: XOAUTH2, OAUTHBEARER (both need a token), SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, PLAIN, LOGIN. The first that the server offers is used; if it is refused, the next, unless the server calls the password wrong. GSSAPI is left out."},
	{Name: "sslclientcert", In: IMAPRepo, Type: TypePath, Doc: "A file with the client certificate to present, in PEM form."},
	{Name: "sslclientkey", In: IMAPRepo, Type: TypePath, Default: "in sslclientcert", Doc: "The file with the client certificate's key, unencrypted."},
	{Name: "ssl_version", In: IMAPRepo, Type: TypeText, Default: "ssl23", Doc: "tls1_2 speaks TLS 1.2 and nothing else; ssl23 the highest version both sides know. Versions below 1.2 (tls1, tls1_1, ssl3) are never spoken."},
	{Name: "tls_level", In: IMAPRepo, Type: TypeText, Default: "tls_secure", Doc: "tls_secure, tls_no_ssl or tls_compat: all the same, since TLS 1.2 is the least."},
	{Name: "oauth2_client_id", In: IMAPRepo, Type: TypeText, Doc: "XOAUTH2: the client's id."},
	{Name: "oauth2_client_id_eval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving oauth2_client_id.", Instead: "oauth2_client_id = ID"},
	{Name: "oauth2_client_secret", In: IMAPRepo, Type: TypeSecret, Doc: "XOAUTH2: the client's secret."},
	{Name: "oauth2_client_secret_eval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving oauth2_client_secret.", Instead: "oauth2_access_token_cmd = COMMAND"},
	{Name: "oauth2_access_token", In: IMAPRepo, Type: TypeSecret, Doc: "XOAUTH2: an access token, used as it is and never refreshed."},
	{Name: "oauth2_access_token_eval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving oauth2_access_token.", Instead: "oauth2_access_token_cmd = COMMAND"},
	{Name: "oauth2_access_token_cmd", In: IMAPRepo, Type: TypeShell, Own: true, Doc: "A shell command that prints an access token; run at each login. Wins over the other oauth2 keys."},
	{Name: "oauth2_refresh_token", In: IMAPRepo, Type: TypeSecret, Doc: "XOAUTH2: a refresh token, with which access tokens are fetched from oauth2_request_url."},
	{Name: "oauth2_refresh_token_eval", In: IMAPRepo, Type: TypePython, Doc: "An expression giving oauth2_refresh_token.", Instead: "oauth2_access_token_cmd = COMMAND"},
	{Name: "oauth2_request_url", In: IMAPRepo, Type: TypeText, Default: "Google's for Gmail", Doc: "XOAUTH2: where access tokens are fetched: https, or http to a loopback address."},
}

var mbnamesKeys = []Key{
	{Name: "enabled", In: MBNames, Type: TypeBool, Default: "no", Doc: "Write a list of folders for a mail reader."},
	{Name: "filename", In: MBNames, Type: TypePath, Doc: "The file to write; it is replaced as a whole. Required."},
	{Name: "header", In: MBNames, Type: TypePython, Doc: "The file's beginning: a Python string."},
	{Name: "peritem", In: MBNames, Type: TypeText, Doc: "The text for one folder, as it is, quotes too: %(accountname)s, %(foldername)s and %(localfolders)s are filled in. Required."},
	{Name: "sep", In: MBNames, Type: TypePython, Doc: "The text between folders: a Python string."},
	{Name: "footer", In: MBNames, Type: TypePython, Doc: "The file's end: a Python string."},
	{Name: "incremental", In: MBNames, Type: TypeBool, Default: "no", Doc: "Write after each account instead of once all have been synced."},
	{Name: "folderfilter", In: MBNames, Type: TypePython, Doc: "A function of account and local folder saying what to list. It has to do without the python3 program."},
	{Name: "sort_keyfunc", In: MBNames, Type: TypePython, Default: "by account, then folder", Doc: "A function of a dictionary (accountname, foldername, localfolders) giving what to sort by. It has to do without the python3 program."},
}
