# ما يقرؤه القرّاء، بالعربية.

## التاريخ والوقت والقوائم

date = { $day } { $month ->
        [1] يناير
        [2] فبراير
        [3] مارس
        [4] أبريل
        [5] مايو
        [6] يونيو
        [7] يوليو
        [8] أغسطس
        [9] سبتمبر
        [10] أكتوبر
        [11] نوفمبر
       *[12] ديسمبر
    } { $year }
date-and-time = { date }، { $time }
list-comma = {"، "}
list-and = {" و"}
list-or = {" أو "}

## الوتيرة

cadence-instant = كل مقال
cadence-daily = يوميًا
cadence-weekly = أسبوعيًا
rhythm-instant = كل مقال فور نشره
rhythm-daily = يوميًا الساعة { $hour }
rhythm-weekly = كل { $weekday ->
        [1] اثنين
        [2] ثلاثاء
        [3] أربعاء
        [4] خميس
        [5] جمعة
        [6] سبت
       *[7] أحد
    } الساعة { $hour }
kind-instant = مقال جديد
kind-daily = النشرة اليومية
kind-weekly = النشرة الأسبوعية

## صفحات القرّاء

subscribe = اشتراك
confirm = تأكيد
leave = إلغاء الاشتراك
form-mistake-title = خطأ في النموذج · اشتراك
expired-title = لم يعد هذا الرابط صالحًا
nobodys-leave-title = هذا الرابط غير مكتمل
check-your-mail-title = تفقّد بريدك
signed-up-title = تم تأكيد عنوانك
subscribed-title = تم اشتراكك
left-title = تم إلغاء اشتراكك
saved-title = تم الحفظ
