
table = {}
for n in ['Drafts', 'Sent', 'Spam', 'Trash']:
    table['[Gmail]/' + n] = n.lower()
for i in range(1, 4):
    table['Archive/200%d' % i] = 'old' + str(i)
if 'x' not in table:
    table['x'] = 'y'
