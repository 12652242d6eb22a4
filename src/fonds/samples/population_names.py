"""The stock of names that generated populations draw from: real-looking names of eight cultures with a long tail.

Common names come first and rare ones are put together from morphemes, so that a name's place in the stock is its rank:
a draw by Zipf's law gives a large population its hundreds of "Müller, Hans" and its many families of one name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fonds.samples.population_draws import hashed


@dataclass(frozen=True, slots=True)
class Culture:
    """One culture's names. Families and given names by rank; `two_surnames`: everybody has father's and mother's."""

    name: str
    share: float
    families: tuple[str, ...]
    men: tuple[str, ...]
    women: tuple[str, ...]
    two_surnames: bool = False
    wife_keeps: float = 0.15
    middle: float = 0.2


def _mixed(first: str, *parts: str) -> tuple[str, ...]:
    """The common names in order, then all combinations of morphemes in an order that has no pattern."""
    made = [""]
    for part in parts:
        made = [head + tail for head in made for tail in part.replace("-", "").split()]
    known = first.split()
    rare = sorted({name.capitalize() for name in made if name} - set(known))
    order = hashed(0, f"stock {first[:20]}", len(rare)).argsort(kind="stable").tolist()
    return tuple(name.replace("_", " ") for name in (*known, *(rare[place] for place in order)))


_GERMAN = (
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf "
    "Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Schmitz Krause Meier "
    "Lehmann Schmid Schulze Maier Köhler Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz "
    "Möller Weiß "
    "Jung Hahn Schubert Vogel Friedrich Keller Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht "
    "Schuster Simon Ludwig Böhm Winter Kraus Martin Schumacher Krämer Vogt Stein Jäger Otto Sommer Groß Seidel "
    "Heinrich Brandt Haas Schreiber Graf Schulte Dietrich Ziegler Kuhn Kühn Pohl Engel Horn Busch Bergmann Thomas "
    "Voigt Sauer Arnold Wolff Pfeiffer von_Berg zur_Linden van_Dyck",
    "alt berg brand eich feld gold hag hart kalt licht moos neu ober rot ahorn birk buch dorn eber erl fisch "
    "frei grau "
    "grün haber hirsch hoch kirch korn lang linden mitter nieder ross sand schön stein tann unter wald wasser weid "
    "wein wild wind winter würz zaun ziegel acker blum bruck burg dahl den diet ehr engel fried geis ger gott hand "
    "heid hell her hol horn hund kam klee lam leu lieb mai mark mühl ost rab reich ried rüb schaf schil see sieg "
    "silber sommer spiel stroh süd thal wag wehr wester wies wohl",
    "auer bach berger dorfer eder felder hauser hofer huber mann meier stätter acker bauer brunner egger furter "
    "gruber kamp leitner lohe rieder reuter wirth haus hof inger kötter korn le ler loh ner nik rath reich schmidt "
    "stein thaler tner wald wieser z horst haupt heimer müller brecht bold bert ig ich el er",
)
_ENGLISH = (
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Robinson Wright Thompson Evans Walker White "
    "Roberts Green "
    "Hall Wood Jackson Clarke Clark Harris Lewis Young King Lee Turner Hill Scott Moore Allen Cooper Ward Morris "
    "Watson Baker Harrison Morgan Miller Davis Martin Anderson Thomas O'Brien O'Connor McDonald MacDonald Campbell "
    "Stewart Murphy Kelly Ryan Walsh Byrne Bennett Gray Cook Bailey Parker Cox Marshall Mitchell Phillips Reid Ross",
    "ash black brad bran brook burn chat ches clay clif cole cran cross dal dan dun east ed elm fair far glad good "
    "graf green hal ham hart has hay heath hol horn hunt ken kin lan law liv long lyn mar mid nor oak os pem pres "
    "rad red rich rob rose row sax shel sher stan sut swin thorn walt war wash wes whit wil win wood wy",
    "all bourne bridge burn bury by combe cott dale den don er field ford gate ham hill hurst ing kin land ley low "
    "man more ner son stead stock ter ton tree wall ward way well wick wood worth",
)
_TURKISH = (
    "Yılmaz Kaya Demir Şahin Çelik Yıldız Yıldırım Öztürk Aydın Özdemir Arslan Doğan Kılıç Aslan Çetin Kara Koç Kurt "
    "Özkan Şimşek Polat Korkmaz Güneş Bulut Erdoğan Yavuz Aksoy Taş Ünal Güler",
    "ak kara demir gök yıl tun bay er öz kor sarı tek yal gün bal çel taş bul alp şen ulu ya kıl bo top",
    "oğlu er kaya taş han türk men soy kan demir dağ alp can gül çi lı ak bay söz turk maz yurt bey sal tan",
)
_POLISH = (
    "Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański Woźniak Dąbrowski Kozłowski "
    "Jankowski Mazur Wojciechowski Kwiatkowski Krawczyk Kaczmarek Piotrowski Grabowski Zając Pawłowski Michalski Król",
    "bor bro cie czar dom gór gra grze jab jan kal kam kos kow kra kwiat lip mal maj nie now ole paw piotr pod rad "
    "roz rut sad sien sob sta sto szcz świ tom wal wil wit woj zab zar zim",
    "ański iński owski ewski czak czyk ek arek arz ik owicz ewicz ak as ński iewicz ecki",
)
_SPANISH = (
    "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández Díaz Moreno "
    "Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Gil Ramírez Serrano Blanco Molina "
    "Morales Suárez Ortega Delgado Castro Ortiz Rubio Marín Sanz Núñez Iglesias Medina Garrido Cortés Castillo Santos "
    "Lozano Guerrero Cano Prieto Méndez Cruz Calvo Gallego Vidal León Herrera Márquez Peña Flores Cabrera Campos Vega "
    "Fuentes Carrasco Diez Caballero Reyes Nieto Aguilar Pascual Santana Herrero Lorenzo Hidalgo Montero Ibáñez "
    "de_la_Cruz del_Río de_León",
    "al bar bel cal cam can car cas cor es fer gal gar lar man mar men mon mor oli pal par ri sal san sol to val ver "
    "vill zam",
    "arado ares avera bal cada cedo ches dera dín do egas eno eros erra eta ilo illa ín mino mora nada ndo nedo neda "
    "quez ra ral reda ría rano sano tero tín zo",
)
_ARABIC = (
    "Ahmed Mohamed Ali Hassan Hussein Ibrahim Khalil Mahmoud Al-Sayed El-Masry Abdullah Salem Mansour Haddad Khoury "
    "Nasser Saleh Othman Yousef Hamdan Darwish Aziz Rahman Said Omar Bakr Najjar Qasim Al-Khatib Hamad",
    "ab ad al ba da fa ha ja ka kha ma na ra sa sha ta wa za zu",
    "bari bib dad dari fadi ghani hab hadi ham jar kim lah lim mad mari mid mir nani rah rif rouf sim sour wan wi yad "
    "zawi zi",
)
_CHINESE = (
    "Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Gao Lin Luo Zheng Liang Xie Song "
    "Tang Deng "
    "Han Feng Cao Peng Zeng Xiao Tian Dong Pan Yuan Cai Jiang Yu Du Ye Cheng Wei Su Lu Ding Ren Shen Yao Cui",
)
_KOREAN = (
    "Kim Lee Park Choi Jung Kang Cho Yoon Jang Lim Han Oh Seo Shin Kwon Hwang Ahn Song Yoo Hong Jeon Ko Moon Yang Son "
    "Bae Baek Heo Nam Shim Noh Ha Kwak Sung Cha Joo Woo",
)
_HAN = "bin bo chao chen fang fei gang guo hai hao hong hua hui jian jie jin jing jun kai lan lei li lin ling long mei "
_HAN += "min ming na ning ping qiang qing rong rui shan tao ting wei wen xia xiang xin xue yan yang yi ying yong yu "
_HAN += "yuan yun zhen zhi"
_KOR = "ji-woo min-jun seo-yeon hyun-woo ji-hoon soo-jin eun-ji young-ho sung-min mi-kyung jae-hyun hye-jin dong-hyun"


def _korean() -> str:
    ends = "woo jun yeon jin ho min kyung hyun hee won soo young ah bin seok"
    starts = "Ji Min Seo Hyun Soo Eun Young Sung Mi Jae Hye Dong Kyung Jin Yu Ha Tae Sang In Na"
    return " ".join(f"{a}-{b}" for a in starts.split() for b in ends.split() if a.lower() != b)


_CULTURES = {
    "german": (
        "Hans Peter Wolfgang Klaus Werner Günter Jürgen Horst Helmut Manfred Heinz Karl Gerhard Walter Dieter Bernd "
        "Thomas Michael Andreas Stefan Frank Christian Martin Matthias Jan Alexander Daniel Tobias Sebastian Lukas "
        "Leon Finn Jonas Paul Ben Maximilian Felix Noah Elias Louis Friedrich Wilhelm Otto Ernst Hermann Rolf Uwe "
        "Ralf "
        "Jörg Holger Sven Björn Marc Nils Tim Jens Kai Philipp Florian Hans-Peter Karl-Heinz Hans-Jürgen Johannes "
        "Josef Franz Ludwig Georg Anton Rudolf Kurt Erich Norbert Volker Detlef Rainer Udo Lars Moritz Jakob",
        "Ursula Renate Helga Karin Ingrid Monika Brigitte Gisela Christa Erika Elisabeth Maria Anna Gertrud Sabine "
        "Susanne Petra Claudia Andrea Martina Birgit Gabriele Heike Stefanie Katharina Julia Sandra Nicole Anja "
        "Melanie Christina Laura Lena Lea Sarah Hannah Mia Emma Sophie Marie Johanna Clara Luisa Margarete "
        "Hildegard Irmgard "
        "Edith Rosemarie Anneliese Angelika Jutta Bärbel Käthe Lieselotte Eva Barbara Kerstin Silke Tanja Anke Ute "
        "Franziska Theresa Charlotte Emilia Lina Nele Anna-Lena Anne-Marie Eva-Maria Magdalena Rita Doris Silvia",
    ),
    "english": (
        "John David Michael Paul Peter Robert James William Richard Thomas Christopher Andrew Stephen Mark Anthony "
        "Daniel Matthew Joseph George Edward Charles Kevin Brian Ian Alan Kenneth Donald Ronald Steven Simon Jack "
        "Harry Oliver Joshua Samuel Benjamin Alexander Ryan Liam Patrick Sean Nathan Luke Adam Henry Philip "
        "Graham Keith",
        "Mary Margaret Susan Elizabeth Patricia Sarah Linda Barbara Christine Karen Jennifer Helen Julie Jane "
        "Anne Ann "
        "Catherine Deborah Sandra Nicola Emma Rebecca Laura Charlotte Emily Jessica Hannah Sophie Olivia Amelia Grace "
        "Dorothy Joan Jean Janet Carol Jacqueline Victoria Alice Lucy Katherine Kathleen Eleanor Rachel Amy Claire",
    ),
    "turkish": (
        "Mehmet Mustafa Ahmet Ali Hüseyin Hasan İbrahim Murat İsmail Osman Yusuf Ömer Ramazan Halil Süleyman Emre "
        "Kemal Orhan Can Burak Cem Serkan Tarık Volkan Enes Kerem",
        "Fatma Ayşe Emine Hatice Zeynep Elif Meryem Şerife Zehra Sultan Hanife Merve Özlem Esra Büşra Songül Gül "
        "Aylin "
        "Derya Dilek Ebru Selin Nurcan Ceren Gülsüm",
    ),
    "polish": (
        "Piotr Krzysztof Andrzej Tomasz Paweł Jan Michał Marcin Stanisław Jakub Adam Marek Łukasz Grzegorz Mateusz "
        "Wojciech Mariusz Dariusz Zbigniew Jerzy Kamil Rafał Szymon",
        "Anna Maria Katarzyna Małgorzata Agnieszka Barbara Ewa Krystyna Elżbieta Zofia Magdalena Joanna Aleksandra "
        "Monika Danuta Teresa Jadwiga Halina Irena Beata Justyna Natalia Karolina",
    ),
    "spanish": (
        "Antonio José Manuel Francisco Juan David José_Antonio José_Luis Javier Francisco_Javier Jesús Carlos Miguel "
        "Daniel Pedro Rafael Alejandro Ángel José_Manuel Juan_Carlos Pablo Sergio Luis Fernando Jorge Álvaro Adrián "
        "Diego Iván Raúl Mario Rubén Víctor Enrique Óscar",
        "María_Carmen María Carmen Ana_María Josefa Isabel María_Dolores Laura María_Pilar María_Teresa Ana Cristina "
        "Marta María_Ángeles Lucía María_Isabel Francisca Antonia Dolores Sara Paula Elena Raquel Pilar Concepción "
        "Mercedes Rosa Beatriz Nuria Silvia Rocío Inés Sofía",
    ),
    "arabic": (
        "Mohammed Ahmad Ali Omar Hassan Hussein Ibrahim Khaled Mahmoud Youssef Mustafa Tarek Samir Karim Walid Abdul "
        "Abdelrahman Bilal Hamza Ziad Rami Nabil Faisal Jamal Said",
        "Fatima Aisha Mariam Zainab Khadija Layla Nour Hana Amina Salma Yasmin Rania Huda Samira Noura Sara Dina Iman "
        "Lina Mona Reem Souad Zahra",
    ),
}


@lru_cache(maxsize=1)
def cultures() -> tuple[Culture, ...]:
    """All cultures with their names by rank."""
    given = {name: (_mixed(men), _mixed(women)) for name, (men, women) in _CULTURES.items()}
    han = (
        _mixed("Wei Fang Min Jing Lei Yan Li Jun Yang Yong", _HAN, _HAN),
        _mixed("Fang Na Min Jing Li Yan", _HAN, _HAN),
    )
    korean = _mixed(_KOR.title()), _mixed(_korean())
    # Romanised, men's and women's names are the same stock
    korean = (korean[0] + korean[1], korean[1] + korean[0])
    return (
        Culture("german", 0.46, _mixed(*_GERMAN), *given["german"]),
        Culture("english", 0.14, _mixed(*_ENGLISH), *given["english"], middle=0.4),
        Culture("turkish", 0.09, _mixed(*_TURKISH), *given["turkish"], middle=0.05),
        Culture("polish", 0.07, _mixed(*_POLISH), *given["polish"], middle=0.1),
        Culture("spanish", 0.09, _mixed(*_SPANISH), *given["spanish"], two_surnames=True, wife_keeps=1, middle=0.05),
        Culture("arabic", 0.06, _mixed(*_ARABIC), *given["arabic"], wife_keeps=0.6, middle=0.3),
        Culture("chinese", 0.05, _mixed(*_CHINESE), *han, wife_keeps=0.95, middle=0),
        Culture("korean", 0.04, _mixed(*_KOREAN), *korean, wife_keeps=0.95, middle=0),
    )


STREETS = _mixed(
    "Hauptstraße Schulstraße Gartenstraße Bahnhofstraße Dorfstraße Bergstraße Birkenweg Lindenstraße Kirchstraße",
    "ahorn amsel bach berg birken blumen brunnen buchen burg eichen erlen feld finken fichten garten goethe hafen "
    "heide hof kant kastanien kirch klee kloster lerchen linden markt mozart mühlen park post quell rathaus ring "
    "rosen sand schiller schloss see sonnen stein tannen teich tulpen ufer veilchen wald weiden wiesen ziegel",
    "straße weg gasse platz allee ring damm steig pfad ufer",
)
CITIES = _mixed(
    "Lindenstadt Neuburg Altheim Bergen Waldkirch",
    "alt bad berg birken buch eber eich feld frei fried gold grün hart heil hirsch hohen kirch kloster königs "
    "lang lauter lieben linden markt neu nieder ober ost rosen sankt schwarz stein süd tann unter wald weiden west",
    "au bach berg brunn burg dorf feld hausen heim hofen ingen kirchen lohe stadt stein tal walde",
)
