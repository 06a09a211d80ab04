"""Words that carry no topic, in Chinese and English."""

from typing import Final

# One string each: a list would take a line a word.
_CHINESE: Final = """
的 了 着 过 是 在 有 和 与 及 或 而 但 就 都 也 还 又 再 很 太 更 最 被 把 让 给 对 向 从 到 以 于 之 其 等 吧
呢 吗 啊 呀 哦 嗯 嘛 哈 哈哈 呵呵 我 你 您 他 她 它 咱 俺 我们 你们 您们 他们 她们 它们 咱们 自己 大家 这 那
这个 那个 这些 那些 这样 那样 这么 那么 这里 那里 这儿 那儿 哪 哪个 哪些 哪里 哪儿 什么 啥 谁 怎么 怎样 怎么样
为什么 为何 多少 几 如何 是否 是不是 有没有 能不能 可以 可能 能 会 要 想 应该 不 没 没有 别 不要 不是 一个 一些
一下 一点 有点 个 些 么 地 得 所 将 因为 所以 如果 虽然 但是 不过 然后 而且 或者 还是 就是 只是 只 才 已经 正在
曾经 当时 时候 之前 之后 以前 以后 后来 现在 请 请问 麻烦 谢谢 好 好的 来 去 说 做 里 上 下 中 内 外 们 呗 啦 哎
唉 喂 嘿 帮 帮我 跟 同 由 按 比 用 为 往 并 并且 及其 另外 此外 其实 真的 真 特别 非常 比较 觉得 知道 告诉 记得
一直 起来 出来 下来 过来 进去 哪天 哪一 哪年 叫 当 每 某 各 该 此 曾 至 则 若 即 亦
"""
_ENGLISH: Final = """
a an the this that these those and or but nor so yet if then else than as of at by for with about against
between into through during before after above below to from up down in out on off over under again further once
here there when where why how what which who whom whose all any both each few more most other some such no not
only own same too very just also even still already i me my mine myself we us our ours ourselves you your yours
yourself yourselves he him his himself she her hers herself it its itself they them their theirs themselves am
is are was were be been being have has had having do does did doing done will would shall should can could may
might must ought don doesn didn isn aren wasn weren hasn haven hadn won wouldn shouldn couldn mustn ain ll ve re
d m s t im ive id ill youre youve youll hes shes theyre theyve thats whats theres lets dont doesnt didnt isnt
arent wasnt werent hasnt havent hadnt wont wouldnt shouldnt couldnt cant cannot get got gets getting go goes
going gonna wanna gotta let lot lots really quite rather much many thing things something anything everything
nothing someone anyone everyone yes yeah yep nope ok okay oh ah hey hi hello wow thanks thank please sorry well
now like know think say said tell told make made one ones way bit kind sort
"""

CHINESE: Final = frozenset(_CHINESE.split())
ENGLISH: Final = frozenset(_ENGLISH.split())
