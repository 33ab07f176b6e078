// Sorts texts as JavaScript does. Input: {"texts": […], "locales": […]}; output: for each locale, the places of the texts,
// where texts that localeCompare calls equal share one.
const { texts, locales } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const answer = {};
for (const locale of locales) {
    if (Intl.Collator.supportedLocalesOf([locale]).length === 0) throw new Error(`this node does not know ${locale}`);
    const order = texts.map((_, index) => index).sort((a, b) => texts[a].localeCompare(texts[b], locale));
    const ranks = new Array(texts.length);
    let rank = 0;
    order.forEach((index, place) => {
        if (place > 0 && texts[order[place - 1]].localeCompare(texts[index], locale) !== 0) rank++;
        ranks[index] = rank;
    });
    answer[locale] = ranks;
}
process.stdout.write(JSON.stringify(answer));
