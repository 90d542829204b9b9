package config
import ("testing";"strings";"fmt";"time")
func TestZZ(t *testing.T){
 var b strings.Builder
 b.WriteString("[general]\naccounts=")
 for i:=0;i<3000;i++{fmt.Fprintf(&b,"a%d,",i)}
 b.WriteString("\n")
 for i:=0;i<3000;i++{fmt.Fprintf(&b,"[Account a%d]\nlocalrepository=L%d\nremoterepository=R\nkk%d=1\n",i,i,i); fmt.Fprintf(&b,"[Repository L%d]\ntype=Maildir\nlocalfolders=/m/%d\n",i,i)}
 b.WriteString("[Repository R]\ntype=IMAP\nremotehost=h\n")
 for name,text:=range map[string]string{"accounts":b.String(),"keys":"[general]\naccounts=a\n"+func()string{var k strings.Builder;for i:=0;i<60000;i++{fmt.Fprintf(&k,"key%d=1\n",i)};return k.String()}(),
  "lines":"[a]\nk=\n"+strings.Repeat(" x\n",300000), "blank":"[a]\nk=\n"+strings.Repeat("\n",900000),"sections":strings.Repeat("[a]\nk=1\n[b]\nk=1\n",60000),
  "laughs":"[general]\naccounts=%(a)s\na=%(b)s%(b)s%(b)s%(b)s%(b)s%(b)s%(b)s%(b)s\nb=%(c)s%(c)s%(c)s%(c)s%(c)s%(c)s%(c)s%(c)s%(c)s\nc=%(d)s%(d)s%(d)s%(d)s%(d)s%(d)s%(d)s%(d)s%(d)s%(d)s\nd=%(e)s%(e)s%(e)s%(e)s%(e)s%(e)s%(e)s%(e)s%(e)s\ne=%(f)s%(f)s%(f)s%(f)s%(f)s%(f)s%(f)s%(f)s\nf=%(g)s%(g)s%(g)s%(g)s%(g)s%(g)s\ng=%(h)s%(h)s%(h)s%(h)s%(h)s%(h)s\nh=%(i)s%(i)s%(i)s%(i)s%(i)s%(i)s\ni=\n"} {
  t0:=time.Now(); _,ps,err:=load("f",text,nil); e:="";if err!=nil{e=fmt.Sprintf("%.80s",err.Error())}; t.Log(name,len(text),time.Since(t0),len(ps),e)
 }
}
