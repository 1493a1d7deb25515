//! The whole life of a reader: from the first form to the last mail, each notice by its real act and once.

use serde_json::Value;

use crate::chromium::Script;
use crate::people::Reader;
use crate::publication::Publication;

impl Reader {
    async fn signs_up_for_security(&self) -> String {
        self.chromium.goes_to("/subscribe").await;
        self.chromium.clicks("form.sign-up summary").await;
        self.chromium.clicks("input[value=Security]").await;
        self.chromium.clicks("input[value=instant]").await;
        self.sends_sign_up().await;
        self.sees_once(&["check-your-mail"]).await;
        self.reads_mail("onfirm").await;
        self.follows_link("/confirm/").await;
        let link = self.chromium.asks("location.href").await;
        self.confirms().await;
        self.sees_once(&["signed-up", "subscribed"]).await;
        link
    }

    /// With the link that is in every issue, and without signing in.
    async fn gets_mail_less_often(&self) {
        self.reads_mail("passkey").await;
        self.follows_link("/preferences/").await;
        self.sees(&[]).await;
        assert!(self.has_chosen("input[value=Security]").await && !self.has_chosen("input[value=Law]").await);
        self.chromium.follows("button[value=rarer]").await;
        self.sees_once(&["saved"]).await;
        assert!(self.has_chosen("input[value=weekly]").await);
        self.leaves_and_undoes().await;
        assert!(self.has_chosen("input[value=weekly]").await, "who came back gets mail more often than before");
    }

    async fn leaves_and_undoes(&self) {
        self.chromium.follows("button[value=leave]").await;
        self.sees(&["left"]).await;
        self.undoes().await;
        self.sees_once(&["subscribed"]).await;
    }

    async fn changes_the_account(&self) {
        self.picks("#time_zone", "Asia/Tokyo").await;
        self.chromium.follows("form:has(#time_zone) button").await;
        self.sees_once(&["saved"]).await;
        assert_eq!(self.value_of("#time_zone").await, "Asia/Tokyo");
        let tomorrow: String = self.chromium.asks("document.querySelector('#wire-pause').min").await;
        self.chromium.clicks("input[value=daily]").await;
        self.picks("#wire-pause", &tomorrow).await;
        self.chromium.follows("button[value=save]").await;
        self.sees_once(&["saved"]).await;
        assert!(self.has_chosen("input[value=daily]").await);
        assert_eq!(self.value_of("#wire-pause").await, tomorrow);
    }

    async fn follows_the_sign_in_link(&self) -> String {
        self.reads_mail("Sign in").await;
        self.follows_link("/sign-in/").await;
        let code = self.chromium.asks("document.querySelector('.standfirst strong').innerText").await;
        self.chromium.follows("form[action^='/sign-in/'] button").await;
        self.sees_once(&["signed-in"]).await;
        code
    }

    /// Signs in by the mailed code, on the page that asks for it.
    pub async fn types_the_code(&self, code: &str) {
        self.chromium.clicks("input[name=code]").await;
        self.chromium.types(code).await;
        self.chromium.follows("form[action='/sign-in/code'] button").await;
        self.sees_once(&["signed-in"]).await;
    }

    async fn signs_out(&self) {
        self.chromium.follows("form[action='/sign-out'] button").await;
        assert!(!self.is_signed_in().await);
    }
}

async fn a_life(script: Script) {
    let publication = Publication::start();
    let reader = publication.reader("reader", script).await;
    let confirm_link = reader.signs_up_for_security().await;
    publication.editor().sends("how-passkeys-work");
    reader.gets_mail_less_often().await;

    // One mail has both: the link for the phone at hand, the code for the browser that asked.
    let phone = publication.reader("reader", script).await;
    reader.asks_to_sign_in().await;
    reader.sees_once(&["check-your-mail"]).await;
    let code = phone.follows_the_sign_in_link().await;
    phone.changes_the_account().await;
    let kept = phone.chromium.keeps("a[href='/account/export']", "account.json").await;
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    assert!(kept.to_string().contains("Asia/Tokyo"), "{kept}");
    phone.leaves_and_undoes().await;
    phone.signs_out().await;
    phone.chromium.ends().await;

    reader.types_the_code(&code).await;
    reader.chromium.follows("a[href='/account/erase']").await;
    reader.chromium.follows("form[action='/account/erase'] button").await;
    reader.reads_mail("erased").await;
    assert!(!reader.is_signed_in().await);
    assert_eq!(publication.runs(&["--format", "json", "subscribers", "list"]).trim(), "");
    reader.chromium.goes_to(&confirm_link).await;
    reader.sees(&["link-expired"]).await;
    reader.chromium.goes_to("/subscribe").await;
    reader.sees(&[]).await;
    reader.chromium.ends().await;
}

#[tokio::test]
async fn a_life_with_scripts() {
    a_life(Script::Allowed).await;
}

#[tokio::test]
async fn a_life_without_scripts() {
    a_life(Script::Forbidden).await;
}
