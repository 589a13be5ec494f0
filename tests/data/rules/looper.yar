rule looper_secret : credentials
{
    meta:
        author = "cryoscope"
        score = 5
    strings:
        $name = "SECRET="
        $value = /RANDOM_[0-9]{4}_KEY/
    condition:
        $name and $value
}
