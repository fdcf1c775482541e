<?php
ini_set('display_errors', '0'); // a warning of the tests' own is no line of theirs
file_put_contents('tests.php', ''); // PHP keeps it open, and hands it on to the caller
unlink('tests.php');
unlink('tests');

final class Weighbridge
{
    public static int $passed = 0;
    private static bool $learning = true;
    private static array $calls = [];
    private static string $results = '';
    private static int $at = 0;

    public static function run(string $name, callable $tests): int
    {
        $tests();
        self::$learning = false;
        file_put_contents('calls', serialize([$name, self::$calls]));
        exec('exec php caller.php </dev/null >/dev/null');
        self::$results = file_get_contents('results');
        $tests();
        return self::$passed;
    }

    public static function call(array $arguments): mixed
    {
        if (self::$learning) {
            self::$calls[] = $arguments;
            return null;
        }
        if (!preg_match('/\G(\d{1,9});/', self::$results, $found, 0, self::$at)) {
            exit(1);
        }
        self::$at += strlen($found[0]) + (int) $found[1];
        $value = substr(self::$results, self::$at - (int) $found[1], (int) $found[1]);
        return unserialize($value, ['allowed_classes' => false]);
    }

    public static function result(bool $equal): void
    {
        if (self::$learning) {
            return;
        }
        $equal ? ++self::$passed : exit(1);
    }
}

function candidate(...$arguments)
{
    return Weighbridge::call($arguments);
}
